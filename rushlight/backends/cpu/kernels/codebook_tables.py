"""The codebooks as constants of kernels: 32-bit words of 4 columns each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.backends.cpu.simd.permutes import code_words
from rushlight.backends.cpu.simd.tables import byte_table, constant_table
from rushlight.backends.cpu.simd.trits import trit_numbers
from rushlight.quants.codebooks import CODEBOOKS


def codebook_words(name: str) -> Any:
    """A function that gives the address of a codebook's words; IQ1's levels are times 8.

    An entry of 8 columns is two words.

    Args:
        name: a key of `CODEBOOKS`.
    """
    values = CODEBOOKS[name].values()
    if name == "IQ1_S":
        values = values * values.dtype.type(8)
    return constant_table(f"{name}.words", values)


def code_words_table(name: str) -> Any:
    """A function that gives the address of a codebook as `code_words`."""
    book = CODEBOOKS[name]
    return constant_table(f"{name}.codes", code_words(np.searchsorted(book.levels, book.values())))


def levels_of_codes(levels: Sequence[int]) -> Any:
    """A function on i8x64: codes from 0 become levels."""
    return byte_table([*levels, *[0] * (16 - len(levels))])


def levels_of_pairs(levels: Sequence[int]) -> tuple[Any, Any]:
    """Two functions on i8x64: digits ``3 * a + b`` become the levels of a, or of b."""
    first = byte_table([*[levels[digit // 3] for digit in range(9)], *[0] * 7])
    return first, byte_table([*[levels[digit % 3] for digit in range(9)], *[0] * 7])


def trit_numbers_table(name: str) -> Any:
    """A function that gives the address of a codebook with three levels as `trit_numbers`, 16 bits each."""
    book = CODEBOOKS[name]
    return constant_table(f"{name}.trits", trit_numbers(np.searchsorted(book.levels, book.values())))
