"""Progress of anything that takes over a second: a callable passed down, and one line on a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import Protocol, TextIO

_FIRST_AFTER = 1.0  # seconds before the line appears: quick work stays silent
_EVERY = 0.1  # seconds between two drawings
_BYTES_FROM = 100_000  # counts from here up are shown as bytes


class Progress(Protocol):
    """What long work calls as it goes: ``progress("Downloading x.gguf", done, total)``.

    `done` and `total` are bytes or items; `total` is None while it is unknown. Work is over when
    `done` equals `total`, or when another label takes its place.
    """

    def __call__(self, label: str, done: int, total: int | None) -> None:
        """Take note that `done` of `total` is behind us."""


def format_bytes(n: float) -> str:
    """Write a number of bytes with a decimal unit: ``92.9 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000 or unit == "GB":
            return f"{n:.0f} B" if unit == "B" else f"{n:.{2 if unit == 'GB' else 1}f} {unit}"
        n /= 1000
    raise AssertionError("unreachable")


def describe(label: str, done: int, total: int | None) -> str:
    """Write one state of `Progress` in words, as `ProgressLine` shows it."""
    as_bytes = max(done, total or 0) >= _BYTES_FROM
    if total:
        end = format_bytes(total) if as_bytes else str(total)
        return f"{label} {min(100, 100 * done // total):3d}% of {end}"
    return f"{label} {format_bytes(done)}" if as_bytes else label


class ProgressLine:
    """A `Progress` that keeps one line up to date on a terminal and wipes it at the end.

    Where the stream is no terminal it writes nothing, so that logs and pipes stay clean.

    Args:
        stream: where the line goes; standard error by default.
        first_after: seconds that the work must have taken before a line appears.
    """

    def __init__(self, stream: TextIO | None = None, *, first_after: float = _FIRST_AFTER) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._enabled = self._stream is not None and self._stream.isatty()
        self._first_after = first_after
        self._label = ""
        self._started = self._drawn = 0.0
        self._width = 0

    def __call__(self, label: str, done: int, total: int | None) -> None:
        """Draw the state, unless it is too early or too soon after the last drawing."""
        if not self._enabled:
            return
        now = time.monotonic()
        if label != self._label:
            self._label, self._started, self._drawn = label, now, 0.0
        if total is not None and done >= total:
            self.close()
        elif now - self._started >= self._first_after and now - self._drawn >= _EVERY:
            self._drawn = now
            self._draw(describe(label, done, total))

    def close(self) -> None:
        """Wipe the line, if one is showing."""
        if self._width:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _draw(self, text: str) -> None:
        text = text[: max(10, shutil.get_terminal_size().columns - 1)]
        self._stream.write("\r" + text + " " * max(0, self._width - len(text)))
        self._stream.flush()
        self._width = len(text)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
