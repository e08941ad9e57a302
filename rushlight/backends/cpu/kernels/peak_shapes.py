"""How much one round of each peak kernel does. Importing this imports no Numba.

Sums in registers must be so many that none waits for the one before, and so few that none goes to memory.
"""

from __future__ import annotations

from typing import NamedTuple


class PeakShape(NamedTuple):
    """Registers of the peak kernels on one instruction set.

    Attributes:
        rows: vectors of 16 integer sums.
        words: activations kept in registers, 4 bytes each. One would do, but where products are made before
            they are added, those of equal operands would be made once.
        float_rows: vectors of 16 float32 sums.
    """

    rows: int
    words: int
    float_rows: int


PEAK_SHAPES: dict[str, PeakShape] = {
    "scalar": PeakShape(2, 2, 2),
    "avx2": PeakShape(2, 2, 6),
    "avxvnni": PeakShape(6, 1, 6),
    "avx512vnni": PeakShape(16, 1, 16),
    "neon": PeakShape(6, 1, 6),
    "i8mm": PeakShape(4, 4, 6),
}
"""By instruction set, a key of `dots.DOTS`."""

ROUNDS = 32
"""Rounds over the operands in memory, which so stay in the first cache (16 KiB)."""

PEAK_KIND = "u4"
"""The dot product that is measured, the fastest of `dots.DOT_KINDS`: that of 4-bit weights."""

READ_BYTES = 512
"""Bytes that the reading kernel takes in a round, 128 of each of four streams."""
