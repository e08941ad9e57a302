"""Rotary position embedding, in both pairings."""

from __future__ import annotations

from collections.abc import Callable

from rushlight.backends.cpu.kernels.work import inline, larger, row_count, smaller, take
from rushlight.backends.cpu.simd import (
    even_lanes,
    fma,
    interleave_high,
    interleave_low,
    load_f32_partial,
    load_i32,
    odd_lanes,
    splat_f32,
    store_f32_partial,
)
from rushlight.backends.cpu.target import Target


@inline
def _copy(x, y, n):
    for i in range(0, n, 16):
        count = smaller(16, n - i)
        store_f32_partial(y + 4 * i, load_f32_partial(x + 4 * i, count), count)


def rope_neox(op, step, thread, n_threads):
    """Pairs are ``n_rot / 2`` columns apart."""
    rows = row_count(step, op.rows)
    half = op.n_rot // 2
    row = thread
    while row < rows:
        angle = load_i32(step.positions + 4 * row) * half * 4
        for head in range(op.n_head):
            x = op.x + row * op.x_stride + head * op.head_dim * 4
            y = op.y + row * op.y_stride + head * op.head_dim * 4
            for i in range(0, half, 16):
                count = smaller(16, half - i)
                cos = load_f32_partial(op.cos + angle + 4 * i, count)
                sin = load_f32_partial(op.sin + angle + 4 * i, count)
                a, b = load_f32_partial(x + 4 * i, count), load_f32_partial(x + 4 * (i + half), count)
                store_f32_partial(y + 4 * i, fma(a, cos, splat_f32(0.0) - b * sin), count)
                store_f32_partial(y + 4 * (i + half), fma(a, sin, b * cos), count)
            _copy(x + 4 * op.n_rot, y + 4 * op.n_rot, op.head_dim - op.n_rot)
        row = take(op, rows, n_threads)


def rope_interleaved(op, step, thread, n_threads):
    """Pairs are neighbours."""
    rows = row_count(step, op.rows)
    half = op.n_rot // 2
    row = thread
    while row < rows:
        angle = load_i32(step.positions + 4 * row) * half * 4
        for head in range(op.n_head):
            x = op.x + row * op.x_stride + head * op.head_dim * 4
            y = op.y + row * op.y_stride + head * op.head_dim * 4
            for i in range(0, half, 16):
                count = smaller(16, half - i)
                first, second = smaller(16, 2 * count), larger(0, 2 * count - 16)
                cos = load_f32_partial(op.cos + angle + 4 * i, count)
                sin = load_f32_partial(op.sin + angle + 4 * i, count)
                low, high = load_f32_partial(x + 8 * i, first), load_f32_partial(x + 8 * i + 64, second)
                a, b = even_lanes(low, high), odd_lanes(low, high)
                rotated_a, rotated_b = fma(a, cos, splat_f32(0.0) - b * sin), fma(a, sin, b * cos)
                store_f32_partial(y + 8 * i, interleave_low(rotated_a, rotated_b), first)
                store_f32_partial(y + 8 * i + 64, interleave_high(rotated_a, rotated_b), second)
            _copy(x + 4 * op.n_rot, y + 4 * op.n_rot, op.head_dim - op.n_rot)
        row = take(op, rows, n_threads)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """Both pairings, by name."""
    return {"rope_neox": rope_neox, "rope_interleaved": rope_interleaved}
