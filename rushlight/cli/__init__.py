"""The command ``rushlight``: one file per command, imported when it is called for."""

from __future__ import annotations

from rushlight.cli.app import main

__all__ = ["main"]
