"""The codebooks as constants of kernels: 32-bit words of 4 columns each."""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.simd.tables import constant_table
from rushlight.quants.codebooks import CODEBOOKS


def codebook_words(name: str) -> Any:
    """A function that gives the address of a codebook's words; IQ1's levels are times 8.

    An entry of 8 columns is two words.
    """
    values = CODEBOOKS[name].values()
    if name == "IQ1_S":
        values = values * values.dtype.type(8)
    return constant_table(name, values)
