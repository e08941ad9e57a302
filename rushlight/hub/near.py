"""Near misses, for error messages."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], *, limit: int = 3) -> str:
    """Return ``" (did you mean a, b?)"`` for the names closest to `name`, or ``""``."""
    import difflib

    by_lower = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=limit, cutoff=0.5)
    return f" (did you mean {', '.join(by_lower[c] for c in close)}?)" if close else ""


def listing(names: Iterable[str], *, limit: int = 12) -> str:
    """Join names for a message, leaving the rest to a count."""
    every = list(names)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + more
