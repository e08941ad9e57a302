"""The progress line: on a terminal only, for long work only, wiped at the end."""

from __future__ import annotations

import io
import threading
import time

from rushlight.progress import ProgressLine, describe, format_bytes


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_written_to_a_file() -> None:
    stream = io.StringIO()
    with ProgressLine(stream, first_after=0) as progress:
        progress("Working", 1, 2)
    assert stream.getvalue() == ""


def test_quick_work_stays_silent() -> None:
    stream = Terminal()
    with ProgressLine(stream) as progress:
        for i in range(10):
            progress("Working", i, 10)
    assert stream.getvalue() == ""


def wait_for(stream: Terminal, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert text in stream.getvalue()


def test_long_work_shows_and_is_wiped() -> None:
    stream = Terminal()
    with ProgressLine(stream, first_after=0.2) as progress:
        progress("Working", 1, 4)
        assert stream.getvalue() == ""
        wait_for(stream, "\rWorking  25% of 4")  # nothing more was told, yet it appears
        progress("Working", 2, 4)
        wait_for(stream, "\rWorking  50% of 4")
        progress("Working", 4, 4)
        assert stream.getvalue().endswith("\r" + " " * len("Working  50% of 4") + "\r")
        progress("More", 0, None)
        wait_for(stream, "\rMore")
    assert stream.getvalue().endswith("\r    \r")
    assert not any(t.name == "progress" for t in threading.enumerate())


def test_words() -> None:
    assert describe("Compiling", 3, 12) == "Compiling  25% of 12"
    assert describe("Downloading x", 1_500_000, 98_362_432) == "Downloading x   1% of 98.4 MB"
    assert describe("Downloading x", 1_500_000, None) == "Downloading x 1.5 MB"
    assert describe("Thinking", 0, None) == "Thinking"
    assert [format_bytes(n) for n in (0, 999, 1000, 2_390_000_000, 5e12)] == [
        "0 B", "999 B", "1.0 kB", "2.39 GB", "5000.00 GB",
    ]  # fmt: skip
