"""Prompts from the command line or from standard input."""

from __future__ import annotations

import sys

from rushlight.errors import InvalidParameter


def read_prompt(prompt: str) -> str:
    """Return the prompt, or for ``-`` the whole of standard input without its last line end.

    Raises:
        InvalidParameter: standard input is not UTF-8.
    """
    if prompt != "-":
        return prompt
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidParameter(
            f"Standard input is not UTF-8 (byte {error.start}); convert it first."
        ) from error
    return text.removesuffix("\n").removesuffix("\r")
