"""Sizes of the packed layout: what the file has for one row, and what 16 rows become."""

from __future__ import annotations

from typing import NamedTuple

LANES = 16
"""Rows that lie side by side."""


class Layout(NamedTuple):
    """One block of a type.

    Attributes:
        columns: columns in a block; those that are multiplied in 8 bits have as many in activations' blocks.
        block_bytes: bytes of a row's block in the file.
        group_bytes: bytes of 16 rows' blocks when packed. The K-quants with 6-bit scales grow by 2.8 %, as
            these become bytes.
    """

    columns: int
    block_bytes: int
    group_bytes: int


LAYOUTS: dict[str, Layout] = {
    "f32": Layout(1, 4, 64),
    "f16": Layout(1, 2, 32),
    "bf16": Layout(1, 2, 32),
    "q4_0": Layout(32, 18, 288),
    "q4_1": Layout(32, 20, 320),
    "q5_0": Layout(32, 22, 352),
    "q5_1": Layout(32, 24, 384),
    "q8_0": Layout(32, 34, 544),
    "q4_k": Layout(256, 144, 2368),
    "q5_k": Layout(256, 176, 2880),
    "q6_k": Layout(256, 210, 3360),
}
