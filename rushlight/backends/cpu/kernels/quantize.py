"""Activations to 8 bits, once for every distinct input of a matrix product.

A block has one scale, ``max|x| / 127``, and is 32 columns for matrices whose own blocks are, 256 for those
with blocks of 256, as in ggml (Q8_0 and Q8_K). What is kept beside the integers stands in `records`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from rushlight.backends.cpu.kernels.work import inline, row_count, run_of, smaller, take_run
from rushlight.backends.cpu.records import (
    META_BYTES,
    META_HALF,
    META_HIGH,
    META_LOW,
    META_START,
    META_STARTS,
    META_SUM,
)
from rushlight.backends.cpu.simd import (
    load_f32x16,
    local_bytes,
    maximum,
    reduce_add,
    reduce_add_i32,
    reduce_max,
    round_even,
    splat_f32,
    store_f32,
    store_f32x16,
    store_i8x16,
    store_i32,
    store_u8,
    to_i32,
)
from rushlight.backends.cpu.target import Target

PART_COLUMNS = 2048
"""Fewer are quicker quantized than brought to another thread."""


@inline
def _magnitude(x):
    return maximum(x, splat_f32(0.0) - x)


@inline
def _scale(largest, taint):
    """Scale and its inverse, both 0 where the scale is subnormal.

    Infinities and NaN must not become ordinary numbers: `taint` makes the scale NaN, and so the results.
    """
    scale = largest / types.float32(127.0) + taint
    inverse = types.float32(0.0)
    if scale < types.float32(1.1754944e-38):
        scale = types.float32(0.0)
    else:
        inverse = types.float32(1.0) / scale
    return scale, inverse


@inline
def _round(x, inverse):
    return to_i32(round_even(x * splat_f32(inverse)))


def _block_of_32(value: Any) -> Any:
    @inline
    def quantize_block(source, first, y, meta):
        low, high = value(source, 4 * first), value(source, 4 * first + 64)
        largest = reduce_max(maximum(_magnitude(low), _magnitude(high)))
        scale, inverse = _scale(largest, reduce_add(low * splat_f32(0.0) + high * splat_f32(0.0)))
        a, b = _round(low, inverse), _round(high, inverse)
        store_i8x16(y, a)
        store_i8x16(y + 16, b)
        half = types.int32(reduce_add_i32(a))
        total = types.int32(half + reduce_add_i32(b))
        store_f32(meta, scale)
        store_f32(meta + META_SUM, scale * types.float32(total))
        store_i32(meta + META_START, types.int32(-8 * total))
        store_i32(meta + META_HALF, types.int32(-16 * half))

    return quantize_block


def _block_of_256(value: Any) -> Any:
    @inline
    def quantize_block(source, first, y, meta):
        values = local_bytes(1024)
        largest, taint = splat_f32(0.0), splat_f32(0.0)
        for part in range(16):
            x = value(source, 4 * first + 64 * part)
            store_f32x16(values + 64 * part, x)
            largest = maximum(largest, _magnitude(x))
            taint = taint + x * splat_f32(0.0)
        scale, inverse = _scale(reduce_max(largest), reduce_add(taint))
        store_f32(meta, scale)
        for block in range(8):
            total = 0
            for half in range(2):
                part = 2 * block + half
                a = _round(load_f32x16(values + 64 * part), inverse)
                store_i8x16(y + 16 * part, a)
                part_sum = types.intp(reduce_add_i32(a))
                store_i32(meta + META_STARTS + 4 * part, types.int32(-32 * part_sum))
                total += part_sum
            low = ((total + 64) & 127) - 64
            store_u8(meta + META_LOW + block, low)
            store_u8(meta + META_HIGH + block, (total - low) >> 7)

    return quantize_block


BLOCKS = {32: _block_of_32, 256: _block_of_256}


def quantizing(
    name: str, prepare: Any, value: Any, *, whole_rows: bool = False
) -> dict[str, Callable[..., None]]:
    """Kernels that quantize rows of values, one for each size of block.

    Args:
        name: what the kernels' names begin with.
        prepare: ``prepare(op, row)`` gives what `value` needs.
        value: ``value(source, offset)`` gives 16 float32 from the row's byte `offset` on.
        whole_rows: `prepare` reads all of the row, so one thread takes all of it.
    """

    def kernel_for(columns: int) -> Callable[..., None]:
        quantize_block, meta_bytes = BLOCKS[columns](value), META_BYTES[columns]
        part_blocks = PART_COLUMNS // columns

        def kernel(op, step, thread, n_threads):
            n_blocks = op.n // columns
            n_parts = 1 if whole_rows else (n_blocks + part_blocks - 1) // part_blocks
            n_items = row_count(step, op.rows) * n_parts
            item, stop = run_of(thread, n_items, n_threads, 1)
            while item < n_items:
                while item < stop:
                    row, first = item // n_parts, item % n_parts * part_blocks
                    source = prepare(op, row)
                    y, meta = op.y + row * op.y_stride, op.meta + row * op.meta_stride
                    end = n_blocks if whole_rows else smaller(n_blocks, first + part_blocks)
                    for block in range(first, end):
                        quantize_block(
                            source, columns * block, y + columns * block, meta + meta_bytes * block
                        )
                    item += 1
                item, stop = take_run(op, n_items, n_threads, 1)

        return kernel

    return {f"{name}_{columns}": kernel_for(columns) for columns in BLOCKS}


@inline
def _row(op, row):
    return op.x + row * op.x_stride


@inline
def _value(x, offset):
    return load_f32x16(x + offset)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The quantization, by name."""
    return quantizing("quantize", _row, _value)
