"""Memory of the attention kernels, laid out for both sides: the kernels and who reserves it.

A *part* is what a row has gathered over some positions: largest score and sum of weights in a head of 64
bytes, then the weighted sum of values, padded to 16 columns.

A thread's scratch holds, for each of `RUN` rows: the first and last position that it sees, its own position,
its head's slope, its token and its head; for each grid of rows, at its first one, where the positions that it
sees in the chunk at hand begin and end. Then come the weights of a chunk's positions, the scaled queries, and
a part for the chunk at hand and one for all chunks so far.
The workspace holds a part for every token, head and chunk of a small step; its chunks go to several threads.

Where positions are chosen (`kernels.top_positions`), scratch holds products of a few heads and then a score
for each position of one token, the workspace such scores for every token of a small step.
"""

from __future__ import annotations

from collections.abc import Iterable

from rushlight.backends.cpu.records import RUN_ROWS

LARGEST, SUM, VALUES = 0, 4, 64
"""Offsets within a part."""

CHUNK = 256
"""Positions that one part covers, a multiple of the cache's block; they begin at multiples of it."""

SPLIT_TOKENS = 8
"""Steps of at most so many tokens hand out chunks of positions, larger ones runs of tokens."""

TILE_ROWS = 8
"""Most rows in a tile of the kernels that gather them (`kernels.experts`)."""

RUN = 32
"""Most rows that go through the cache together."""

FIRST, LAST, OWN, SLOPE, TOKEN, HEAD, BEGIN, END = (4 * RUN * i for i in range(8))
WEIGHTS = 4 * RUN * 8
QUERIES = WEIGHTS + 4 * CHUNK * RUN

SCORED_HEADS = 4
"""Heads whose products are computed together."""

SCORES = 64 * SCORED_HEADS
"""Offset of the scores in a thread's scratch."""


def padded(head_dim: int) -> int:
    """Bytes of a vector of `head_dim` float32 numbers, padded to 16 of them."""
    return -(-head_dim // 16) * 64


def scratch_bytes(heads: Iterable[tuple[int, int, int]]) -> int:
    """Bytes that a thread needs for layers with these (heads, key size, value size)."""
    return QUERIES + RUN * max((padded(k) + 2 * (VALUES + padded(v)) for _, k, v in heads), default=0)


def expert_bytes(n_columns: int, n_expert: int) -> int:
    """Bytes that a thread needs to route rows to `n_expert` experts and to gather rows of `n_columns`.

    A gathered row takes 4 bytes a column where a tile is gathered, and at most one and a half where a run is;
    before them stand 16 results of each row.
    """
    rows = max(TILE_ROWS * (64 + 4 * n_columns), RUN_ROWS * (64 + n_columns + n_columns // 2))
    return max(rows, 12 * n_expert + 4)


def workspace_bytes(heads: Iterable[tuple[int, int, int]], n_ctx: int) -> int:
    """Bytes of parts that the largest split step needs."""
    largest = max((n * (VALUES + padded(v)) for n, _, v in heads), default=0)
    return SPLIT_TOKENS * largest * -(-n_ctx // CHUNK)


def score_bytes(n_ctx: int) -> int:
    """Bytes of a token's scores, in whole chunks of positions."""
    return 4 * CHUNK * -(-n_ctx // CHUNK)
