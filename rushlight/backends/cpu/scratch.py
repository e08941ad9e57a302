"""The scratch memory of the attention kernel, laid out for both sides: the kernel and who reserves it.

For each of `ROWS` rows: largest score, sum, correction, first and last position; then the weights of 16
positions; then the scaled queries and the weighted sums of values, each row padded to 16 columns.
"""

from __future__ import annotations

ROWS = 4
LARGEST, SUM, CORRECTION, FIRST, LAST, WEIGHTS = (4 * ROWS * i for i in range(6))
VECTORS = WEIGHTS + 64 * ROWS


def scratch_bytes(head_dim_k: int, head_dim_v: int) -> int:
    """Bytes that a thread needs for heads of these sizes."""
    return VECTORS + 4 * ROWS * (-(-head_dim_k // 16) * 16 + -(-head_dim_v // 16) * 16)
