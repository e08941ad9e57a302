"""Sizes of the packed layout: what the file has for one row, and what 16 rows become."""

from __future__ import annotations

from typing import NamedTuple

LANES = 16
"""Rows that lie side by side."""


class Layout(NamedTuple):
    """One block of a type.

    Attributes:
        columns: columns in a block.
        block_bytes: bytes of a row's block in the file.
        group_bytes: bytes of 16 rows' blocks when packed. The K-quants with 6-bit scales grow by 2 to 4 %,
            as these become bytes, IQ2_XXS, IQ2_XS and IQ3_XXS by up to 6 %, whose eighth signs are kept, IQ1
            and IQ2_S by 15 to 18 %, TQ1_0 by 22 %, as it becomes TQ2_0; Q8_K leaves sums out.
    """

    columns: int
    block_bytes: int
    group_bytes: int

    @property
    def activation_columns(self) -> int:
        """Columns of a block of the activations that it is multiplied with."""
        return 256 if self.columns == 256 else 32


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
    "q2_k": Layout(256, 84, 1344),
    "q3_k": Layout(256, 110, 1824),
    "q8_k": Layout(256, 292, 4160),
    "iq1_s": Layout(256, 50, 928),
    "iq1_m": Layout(256, 56, 1056),
    "iq2_xxs": Layout(256, 66, 1120),
    "iq2_xs": Layout(256, 74, 1248),
    "iq2_s": Layout(256, 82, 1504),
    "iq3_xxs": Layout(256, 98, 1632),
    "iq3_s": Layout(256, 110, 1760),
    "iq4_nl": Layout(32, 18, 288),
    "iq4_xs": Layout(256, 136, 2208),
    "tq1_0": Layout(256, 54, 1056),
    "tq2_0": Layout(256, 66, 1056),
    "mxfp4": Layout(32, 17, 272),
    "nvfp4": Layout(64, 36, 576),
    "q1_0": Layout(128, 18, 288),
    "q2_0": Layout(64, 18, 288),
}
