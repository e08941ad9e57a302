"""What requests may hold: a table of fields for each endpoint."""
