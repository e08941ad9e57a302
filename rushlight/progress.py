"""Progress of anything that takes over a second: a callable passed down, and one line on a terminal."""

from __future__ import annotations

import sys
import threading
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

    A thread draws it, so that it appears in time even while the work has nothing new to tell. Where the
    stream is no terminal nothing is written, so that logs and pipes stay clean.

    Args:
        stream: where the line goes; standard error by default.
        first_after: seconds that work must have taken before the line appears.
    """

    def __init__(self, stream: TextIO | None = None, *, first_after: float = _FIRST_AFTER) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._enabled = self._stream is not None and self._stream.isatty()
        self._first_after = first_after
        self._lock = threading.Lock()
        self._state: tuple[str, int, int | None] | None = None
        self._started = 0.0
        self._shown = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, label: str, done: int, total: int | None) -> None:
        """Take note of the state; it shows at the next drawing."""
        if not self._enabled:
            return
        with self._lock:
            if self._state is None or self._state[0] != label:
                self._started = time.monotonic()
            self._state = (label, done, total)
            if total is not None and done >= total:
                self._state = None
                self._draw("")
            elif self._thread is None:
                self._stop.clear()
                self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Wipe the line, if one is showing; work that goes on may show it again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join()
        with self._lock:
            self._state = None
            self._draw("")

    def _run(self) -> None:
        while not self._stop.wait(_EVERY):
            with self._lock:
                if self._state is not None and time.monotonic() - self._started >= self._first_after:
                    self._draw(describe(*self._state))

    def _draw(self, text: str) -> None:
        if text:
            import shutil  # brings compression in, which nothing else needs at start

            text = text[: max(10, shutil.get_terminal_size().columns - 1)]
        if text != self._shown:
            self._stream.write("\r" + text.ljust(len(self._shown)) + ("" if text else "\r"))
            self._stream.flush()
            self._shown = text

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
