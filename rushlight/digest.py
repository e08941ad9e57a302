"""One short line by which two people tell whether they got the same answer."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

SHOWN = 16
"""Hex digits of a digest that people are shown."""


def digest(prompt_ids: Sequence[int], answer_ids: Sequence[int]) -> str:
    """sha256, 64 hex digits, of the number of the prompt's tokens, these, and the answer's tokens.

    Each is an unsigned 32-bit integer, little endian. The answer's end token counts, if it has one.
    """
    words = [len(prompt_ids), *prompt_ids, *answer_ids]
    return hashlib.sha256(struct.pack(f"<{len(words)}I", *words)).hexdigest()
