"""Where words go: answers to standard output, everything else to standard error, both in UTF-8."""

from __future__ import annotations

import errno
import io
import os
import sys

_COMMANDS: dict[int, str | None] = {
    **dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "\ufffd"),
    ord("\r"): None,
}
"""Control characters, but tabs and line ends."""


def use_utf8() -> None:
    """Write UTF-8 whatever the console's code page is; what cannot be encoded becomes a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def write(text: str) -> None:
    """Write to standard output at once.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Windows says "invalid argument" of a pipe whose reader has gone away.
        if error.errno == errno.EINVAL and sys.platform == "win32":
            raise BrokenPipeError(errno.EPIPE, "the reader has gone away") from error
        raise


def say(text: str) -> None:
    """Write a line to standard error."""
    print(text, file=sys.stderr, flush=True)


def whisper(text: str) -> None:
    """Write to standard error at once, without ending the line."""
    print(text, end="", file=sys.stderr, flush=True)


def complain(message: str) -> None:
    """Write an error to standard error, as one line."""
    say("error: " + " ".join(message.split()))


def printable(text: str) -> str:
    """The text with U+FFFD for characters that would command a terminal rather than show."""
    return text.translate(_COMMANDS)


def discard_output() -> None:
    """Send what is still buffered nowhere, so that a closed pipe stays quiet at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
