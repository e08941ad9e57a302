"""Columns of heads: some of each, two kinds side by side, and rows that every head's matrix takes."""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from rushlight.backends.cpu.kernels.work import inline, row_count, smaller, take
from rushlight.backends.cpu.records import RUN_BYTES, RUN_ROWS
from rushlight.backends.cpu.simd import load_f32_partial, store_f32_partial, store_i32, store_i64
from rushlight.backends.cpu.target import Target


@inline
def _copy(x, y, n):
    for i in range(0, n, 16):
        count = smaller(16, n - i)
        store_f32_partial(y + 4 * i, load_f32_partial(x + 4 * i, count), count)


def head_columns(op, step, thread, n_threads):
    """`n` columns of each of `n_head` heads, `x_head` bytes apart, one head behind the other."""
    rows = row_count(step, op.rows)
    row = thread
    while row < rows:
        x, y = op.x + row * op.x_stride, op.y + row * op.y_stride
        for head in range(op.n_head):
            _copy(x + head * op.x_head, y + 4 * head * op.n, op.n)
        row = take(op, rows, n_threads)


def join_heads(op, step, thread, n_threads):
    """Of each of `n_head` heads `n` columns of x, then `z_n` of z; heads of z are `z_head` bytes apart."""
    rows = row_count(step, op.rows)
    row = thread
    while row < rows:
        x, z, y = op.x + row * op.x_stride, op.z + row * op.z_stride, op.y + row * op.y_stride
        for head in range(op.n_head):
            target = y + 4 * head * (op.n + op.z_n)
            _copy(x + 4 * head * op.n, target, op.n)
            _copy(z + head * op.z_head, target + 4 * op.n, op.z_n)
        row = take(op, rows, n_threads)


def every_expert(op, step, thread, n_threads):
    """What `sort_experts` gives where every row uses all `n` experts, in their order."""
    rows = row_count(step, op.rows)
    if rows == 0:
        return
    runs_each = (rows + RUN_ROWS - 1) // RUN_ROWS
    expert = thread
    while expert < op.n:
        for row in range(rows):
            store_i32(op.order + 4 * (expert * rows + row), types.int32(row * op.n + expert))
        for run in range(runs_each):
            place = op.runs + RUN_BYTES * (expert * runs_each + run + 1)
            store_i32(place, types.int32(expert))
            store_i32(place + 4, types.int32(expert * rows + run * RUN_ROWS))
            store_i32(place + 8, types.int32(expert * rows + smaller(rows, (run + 1) * RUN_ROWS)))
        if expert == 0:
            store_i64(op.runs, op.n * runs_each)
        expert = take(op, op.n, n_threads)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The kernels, by name."""
    return {"head_columns": head_columns, "join_heads": join_heads, "every_expert": every_expert}
