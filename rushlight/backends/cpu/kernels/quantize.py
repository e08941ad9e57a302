"""Activations to 8 bits, in blocks of 32 columns, once for every distinct input of a matrix product."""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from rushlight.backends.cpu.kernels.work import inline, row_count, take
from rushlight.backends.cpu.records import META_BYTES
from rushlight.backends.cpu.simd import (
    load_f32x16,
    maximum,
    reduce_add,
    reduce_add_i32,
    reduce_max,
    round_even,
    splat_f32,
    store_f32,
    store_i8x16,
    to_i32,
)
from rushlight.backends.cpu.target import Target


@inline
def _magnitude(x):
    return maximum(x, splat_f32(0.0) - x)


@inline
def quantize_block(low, high, y, meta):
    """32 values: ``scale = max|x| / 127``, then the nearest multiples, ties to even."""
    largest = reduce_max(maximum(_magnitude(low), _magnitude(high)))
    # Infinities and NaN must not become ordinary numbers: they make the scale NaN, and so the results.
    taint = reduce_add(low * splat_f32(0.0) + high * splat_f32(0.0))
    scale = largest / types.float32(127.0) + taint
    if scale < types.float32(1.1754944e-38):
        scale = types.float32(0.0)
        inverse = types.float32(0.0)
    else:
        inverse = types.float32(1.0) / scale
    a, b = to_i32(round_even(low * splat_f32(inverse))), to_i32(round_even(high * splat_f32(inverse)))
    store_i8x16(y, a)
    store_i8x16(y + 16, b)
    sum_low, sum_high = reduce_add_i32(a), reduce_add_i32(b)
    store_f32(meta, scale)
    store_f32(meta + 4, scale * types.float32(sum_low + sum_high))
    store_f32(meta + 8, scale * types.float32(sum_low))
    store_f32(meta + 12, scale * types.float32(sum_high))


def quantize(op, step, thread, n_threads):
    """Rows of `n` columns (a multiple of 32) to int8 and their `META_BYTES` a block."""
    rows = row_count(step, op.rows)
    row = take(op)
    while row < rows:
        x, y, meta = op.x + row * op.x_stride, op.y + row * op.y_stride, op.meta + row * op.meta_stride
        for block in range(op.n // 32):
            low, high = load_f32x16(x + 128 * block), load_f32x16(x + 128 * block + 64)
            quantize_block(low, high, y + 32 * block, meta + META_BYTES * block)
        row = take(op)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The quantization, by name."""
    return {"quantize": quantize}
