"""Texts from the command line, from files or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from rushlight.errors import InvalidParameter


def read_prompt(prompt: str) -> str:
    """Return the prompt, or for ``-`` the whole of standard input without its last line end.

    Raises:
        InvalidParameter: standard input is not UTF-8.
    """
    return prompt if prompt != "-" else decoded(sys.stdin.buffer.read(), "Standard input")


def read_text(file: str) -> str:
    """Return the content of a file, or for ``-`` of standard input, without its last line end.

    Raises:
        InvalidParameter: it is not UTF-8.
        OSError: the file cannot be read.
    """
    return read_prompt(file) if file == "-" else decoded(Path(file).read_bytes(), file)


def decoded(content: bytes, where: str) -> str:
    """Return UTF-8 as text, without its last line end.

    Raises:
        InvalidParameter: it is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidParameter(f"{where} is not UTF-8 (byte {error.start}); convert it first.") from error
    return text.removesuffix("\n").removesuffix("\r")
