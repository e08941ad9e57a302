"""The highest number of each row, and whether all of them are finite.

Two ops: parts of the rows first, shared among the threads, then each row's parts. Comparing rounds nothing,
so the order does not matter; of equal numbers the first is found.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from rushlight.backends.cpu.kernels.work import inline, row_count, smaller, take
from rushlight.backends.cpu.records import ARGMAX_PART
from rushlight.backends.cpu.simd import (
    below,
    lane_index,
    load_f32,
    load_f32_partial,
    load_f32x16,
    maximum,
    reduce_add,
    reduce_max,
    select,
    splat_f32,
    splat_i32,
    store_f32,
    store_i64,
)
from rushlight.backends.cpu.target import Target

_PLACE, _VALUE = 0, 8
"""Offsets in `records.ARGMAX_RESULT`."""


@inline
def highest_of(x, n):
    """The highest of n numbers, NaN where any is NaN or infinite."""
    whole = n - n % 16
    best, taint = splat_f32(-float("inf")), splat_f32(0.0)
    for i in range(0, whole, 16):
        value = load_f32x16(x + 4 * i)
        best = maximum(best, value)
        # 0 for every finite number, else NaN.
        taint = taint + value * splat_f32(0.0)
    if whole < n:
        inside = below(lane_index(), splat_i32(types.int32(n - whole)))
        value = load_f32_partial(x + 4 * whole, n - whole)
        best = maximum(best, select(inside, value, splat_f32(-float("inf"))))
        taint = taint + value * splat_f32(0.0)
    return reduce_max(best) + reduce_add(taint)


def argmax_parts(op, step, thread, n_threads):
    """The highest number of every part of every row."""
    n_parts = (op.n + ARGMAX_PART - 1) // ARGMAX_PART
    pieces = row_count(step, op.rows) * n_parts
    piece = thread
    while piece < pieces:
        row, first = piece // n_parts, piece % n_parts * ARGMAX_PART
        value = highest_of(op.x + row * op.x_stride + 4 * first, smaller(op.n - first, ARGMAX_PART))
        store_f32(op.parts + row * op.parts_stride + 4 * (piece % n_parts), value)
        piece = take(op, pieces, n_threads)


def argmax(op, step, thread, n_threads):
    """The highest number of every row, of its parts: a `ARGMAX_RESULT`."""
    n_parts = (op.n + ARGMAX_PART - 1) // ARGMAX_PART
    rows = row_count(step, op.rows)
    row = thread
    while row < rows:
        parts, y = op.parts + row * op.parts_stride, op.y + row * op.y_stride
        best, place = load_f32(parts), 0
        taint = best - best
        for part in range(1, n_parts):
            value = load_f32(parts + 4 * part)
            taint += value - value
            if value > best:
                best, place = value, part * ARGMAX_PART
        if taint == types.float32(0.0):
            while load_f32(op.x + row * op.x_stride + 4 * place) != best:
                place += 1
            store_f32(y + _VALUE, load_f32(op.x + row * op.x_stride + 4 * place))
        else:
            place = -1
        store_i64(y + _PLACE, place)
        row = take(op, rows, n_threads)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """Both ops, by name."""
    return {"argmax_parts": argmax_parts, "argmax": argmax}
