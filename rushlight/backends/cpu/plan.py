"""Where each buffer lies: buffers whose lives do not overlap share memory."""

from __future__ import annotations

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
    placed: list[tuple[Buffer, int, int]] = []
    offsets: dict[Buffer, int] = {}
    size = {buffer: buffer.row_bytes * n_rows[buffer.rows] for buffer in buffers}
    for buffer in sorted(buffers, key=lambda b: -size[b]):
        rivals = sorted(
            (start, stop)
            for other, start, stop in placed
            if other.first <= buffer.last and buffer.first <= other.last
        )
        offset = 0
        for start, stop in rivals:
            if offset + size[buffer] <= start:
                break
            offset = max(offset, stop)
        offsets[buffer] = offset
        placed.append((buffer, offset, offset + size[buffer]))
    return offsets, max((stop for _, _, stop in placed), default=0)
