"""The progress line: on a terminal only, for long work only, wiped at the end."""

from __future__ import annotations

import io

import pytest

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


def test_long_work_shows_and_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    stream = Terminal()
    progress = ProgressLine(stream)
    for i in range(4):
        clock[0] = i * 0.6
        progress("Working", i, 4)
    assert "Working  50% of 4" in stream.getvalue()
    assert "25%" not in stream.getvalue()
    progress("Working", 4, 4)
    written = stream.getvalue()
    assert written.endswith("\r") and written.split("\r")[-2].strip() == ""


def test_words() -> None:
    assert describe("Compiling", 3, 12) == "Compiling  25% of 12"
    assert describe("Downloading x", 1_500_000, 98_362_432) == "Downloading x   1% of 98.4 MB"
    assert describe("Downloading x", 1_500_000, None) == "Downloading x 1.5 MB"
    assert describe("Thinking", 0, None) == "Thinking"
    assert [format_bytes(n) for n in (0, 999, 1000, 2_390_000_000, 5e12)] == [
        "0 B", "999 B", "1.0 kB", "2.39 GB", "5000.00 GB",
    ]  # fmt: skip
