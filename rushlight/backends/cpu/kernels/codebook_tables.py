"""The codebooks as constants of kernels: 32-bit words of 4 columns each."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd.permutes import nibble_words
from rushlight.backends.cpu.simd.tables import byte_table, constant_table
from rushlight.quants.codebooks import CODEBOOKS


def codebook_words(name: str, offset: int = 0) -> Any:
    """A function that gives the address of a codebook's words; IQ1's levels are times 8.

    An entry of 8 columns is two words.

    Args:
        name: a key of `CODEBOOKS`.
        offset: is added to every level.
    """
    values = CODEBOOKS[name].values()
    if name == "IQ1_S":
        values = values * values.dtype.type(8)
    return constant_table(f"{name}.{offset}", values + values.dtype.type(offset))


def codebook_nibbles(name: str) -> tuple[Any, Any]:
    """Of a codebook with entries of 4: a function that gives the address of `nibble_words`, and one that
    makes levels of nibbles, which is nothing where the nibbles are levels.
    """
    book = CODEBOOKS[name]
    values, is_level = book.values(), max(book.levels) < 16
    codes = values if is_level else np.searchsorted(book.levels, values)
    levels = byte_table([*book.levels, *[0] * (16 - len(book.levels))])

    @inline
    def same(vector):
        return vector

    return constant_table(f"{name}.nibbles", nibble_words(codes)), same if is_level else levels
