"""``rushlight chat``: a conversation in the terminal."""

from __future__ import annotations

from rushlight.cli.chat.command import add_arguments, execute

__all__ = ["add_arguments", "execute"]
