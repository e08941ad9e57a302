"""Where an answer is shown while it comes: as it is, or rendered on a terminal."""

from __future__ import annotations

import os
import sys
from typing import Protocol

from rushlight.cli.output import printable, say, whisper, write


class Display(Protocol):
    """What shows one answer."""

    def thought(self, text: str) -> None:
        """Show more of what the model thinks before it answers."""

    def text(self, text: str) -> None:
        """Show more of the answer."""

    def end(self) -> None:
        """Leave the cursor on a new line, whatever ended the answer."""


def open_display(*, plain: bool) -> Display:
    """Return a `MarkdownDisplay` where standard output is a terminal that redraws lines, else a `Plain`."""
    if plain or not sys.stdout.isatty() or os.environ.get("TERM") in {"dumb", "unknown"}:
        return Plain()
    from rushlight.cli.markdown import MarkdownDisplay

    return MarkdownDisplay()


class Plain:
    """The text to standard output and thoughts to standard error, letter by letter."""

    def __init__(self) -> None:
        self._thinks = False
        self._to_terminal = sys.stdout.isatty()

    def thought(self, text: str) -> None:
        """Show it on standard error."""
        self._thinks = True
        whisper(printable(text) if sys.stderr.isatty() else text)

    def text(self, text: str) -> None:
        """Show it on standard output."""
        if self._thinks:
            say("\n")
            self._thinks = False
        write(printable(text) if self._to_terminal else text)

    def end(self) -> None:
        """End the line."""
        write("\n")
