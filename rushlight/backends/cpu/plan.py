"""Where each buffer lies: buffers whose lives do not overlap share memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from rushlight.backends.cpu.recording import Buffer


def plan_buffers(buffers: Sequence[Buffer], n_rows: Mapping[int, int]) -> tuple[dict[Buffer, int], int]:
    """Place buffers in one arena, largest first, each at the lowest offset that is free while it lives.

    Args:
        buffers: with the first and last op of their lives, both inclusive.
        n_rows: rows of each kind (`TOKENS`, `OUTPUTS`) to make room for.

    Returns:
        The offset of each buffer, and the bytes of the arena.
    """
    alive: dict[int, set[tuple[int, int]]] = defaultdict(set)  # what is taken while an op runs
    offsets: dict[Buffer, int] = {}
    size = {buffer: buffer.row_bytes * n_rows[buffer.rows] for buffer in buffers}
    for buffer in sorted(buffers, key=lambda b: -size[b]):
        life = range(buffer.first, buffer.last + 1)
        offset = 0
        for start, stop in sorted(set().union(*(alive[op] for op in life))):
            if offset + size[buffer] <= start:
                break
            offset = max(offset, stop)
        offsets[buffer] = offset
        for op in life:
            alive[op].add((offset, offset + size[buffer]))
    return offsets, max((offset + size[buffer] for buffer, offset in offsets.items()), default=0)
