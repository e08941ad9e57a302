"""The parts of attention: what a row has gathered over some positions, and how two of them become one."""

from __future__ import annotations

from numba import types

from rushlight.backends.cpu.kernels.work import inline, smaller
from rushlight.backends.cpu.scratch import LARGEST, SUM, VALUES
from rushlight.backends.cpu.simd import (
    exp,
    fma,
    fma_scalar,
    load_f32,
    load_f32x16,
    reduce_max,
    splat_f32,
    store_f32,
    store_f32_partial,
    store_f32x16,
)

LOWEST = -1e30
"""Stands for minus infinity, whose differences would be NaN."""


@inline
def empty_part(part, v_bytes):
    """A part that has seen no position."""
    store_f32(part + LARGEST, types.float32(LOWEST))
    store_f32(part + SUM, types.float32(0.0))
    for column in range(0, v_bytes, 64):
        store_f32x16(part + VALUES + column, splat_f32(types.float32(0.0)))


@inline
def fold_part(total, part, v_bytes):
    """Add a part to another: both sums are scaled to the larger of the two largest scores."""
    before, own = load_f32(total + LARGEST), load_f32(part + LARGEST)
    largest = own if own > before else before
    keep, take = exp(splat_f32(before - largest)), exp(splat_f32(own - largest))
    kept = load_f32(total + SUM) * reduce_max(keep)
    store_f32(total + LARGEST, largest)
    store_f32(total + SUM, fma_scalar(load_f32(part + SUM), reduce_max(take), kept))
    for column in range(0, v_bytes, 64):
        kept_values = load_f32x16(total + VALUES + column) * keep
        store_f32x16(total + VALUES + column, fma(load_f32x16(part + VALUES + column), take, kept_values))


@inline
def fold_sink(op, total, head, v_bytes):
    """Add the score of a head's sink, if there are any, which weighs like a position and has no value."""
    if op.sinks != 0:
        before, own = load_f32(total + LARGEST), load_f32(op.sinks + 4 * head)
        largest = own if own > before else before
        keep, share = exp(splat_f32(before - largest)), exp(splat_f32(own - largest))
        store_f32(total + SUM, fma_scalar(load_f32(total + SUM), reduce_max(keep), reduce_max(share)))
        for column in range(0, v_bytes, 64):
            store_f32x16(total + VALUES + column, load_f32x16(total + VALUES + column) * keep)


@inline
def finish_part(total, y, head_dim_v):
    """The weighted mean of the values."""
    weight = splat_f32(load_f32(total + SUM))
    for column in range(0, head_dim_v, 16):
        value = load_f32x16(total + VALUES + 4 * column) / weight
        store_f32_partial(y + 4 * column, value, smaller(16, head_dim_v - column))
