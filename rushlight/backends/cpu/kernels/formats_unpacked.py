"""Types that AVX2 writes down as bytes for many tokens (`unpacked`), as 16 registers hold the sums of a tile
but not also what unpacks weights.

There is no dot product of signed bytes either: levels of 8 bits become two nibbles, whose sums are added.
"""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.formats import five_bits, nibbles
from rushlight.backends.cpu.kernels.formats_few_bits import three_bits
from rushlight.backends.cpu.kernels.formats_tables import fp4_plus_16, half_power, iq4_nibbles
from rushlight.backends.cpu.kernels.unpacked import SCALES, WEIGHTS, Unpacking, superblock_sums
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.records import META_BYTES, META_HIGH, META_LOW, META_START, META_STARTS, META_SUM
from rushlight.backends.cpu.simd import (
    dot,
    high_bits,
    load_f16x16,
    load_f32x16,
    load_i8x64,
    load_s8x16,
    outer_add,
    product_add,
    scale_add,
    scaled_tile_add,
    start_tile,
    store_f32x16,
    store_i8x64,
    superblock_add,
    to_f32,
    zero_i32_tile,
    zero_tile,
)
from rushlight.backends.cpu.simd.tables import load_u8x16
from rushlight.backends.cpu.simd.tile_sums import memory_dot, shifted_tile, start_run_tile

MINIMA = SCALES + 8 * 64


@inline
def _store(target, vectors):
    for j in range(8):
        store_i8x64(target + 64 * j, vectors[j])


@inline
def _four_bit_dot(start, q, x, x_stride):
    return memory_dot(start, q, x, x_stride, "u4")


@inline
def _five_bit_dot(start, q, x, x_stride):
    return memory_dot(memory_dot(start, q, x, x_stride, "u5"), q + 256, x + 16, x_stride, "u5")


@inline
def _eight_bit_dot(start, q, x, x_stride):
    """Upper nibbles, whose sums are taken times 16 with their start, then lower ones."""
    upper = memory_dot(start, q, x, x_stride, "u4")
    return memory_dot(shifted_tile(upper, 4), q + 512, x, x_stride, "u4")


def _blocks_of_32(dot_32: Any, n_bytes: int, shift: int) -> Any:
    """`Unpacking.sums` of types whose sums start with those of activations, shifted."""
    meta_bytes = META_BYTES[32]

    def sums(rows: int) -> Any:
        @inline
        def add(total, unpacked, n_blocks, x, x_stride, meta, meta_stride):
            for block in range(n_blocks):
                q, m = unpacked + WEIGHTS + n_bytes * block, meta + meta_bytes * block
                start = start_tile(rows, m + META_START, meta_stride, shift)
                products = dot_32(start, q, x + 32 * block, x_stride)
                total = scale_add(
                    total, products, load_f32x16(unpacked + SCALES + 64 * block), m, meta_stride
                )
            return total

        return add

    return sums


def _q5_1_sums(rows: int) -> Any:
    meta_bytes = META_BYTES[32]

    @inline
    def add(total, unpacked, n_blocks, x, x_stride, meta, meta_stride):
        for block in range(n_blocks):
            q, m = unpacked + WEIGHTS + 512 * block, meta + meta_bytes * block
            products = _five_bit_dot(zero_i32_tile(rows), q, x + 32 * block, x_stride)
            scale, minimum = load_f32x16(unpacked + SCALES + 64 * block), unpacked + MINIMA + 64 * block
            total = scale_add(total, products, scale, m, meta_stride)
            total = outer_add(total, load_f32x16(minimum), m + META_SUM, meta_stride)
        return total

    return add


def _superblocks(dot_32: Any) -> Any:
    """`Unpacking.sums` of Q4_K and Q5_K."""

    def sums(rows: int) -> Any:
        @inline
        def add(total, unpacked, n_blocks, x, x_stride, meta, meta_stride):
            products = zero_tile(rows)
            for block in range(8):
                part = dot_32(zero_i32_tile(rows), unpacked + WEIGHTS + 512 * block, x + 32 * block, x_stride)
                products = product_add(products, part, load_f32x16(unpacked + SCALES + 64 * block))
            minima = unpacked + MINIMA + 64
            weights = (load_i8x64(minima), load_i8x64(minima + 64))
            low = dot(zero_i32_tile(rows), weights, meta + META_LOW, meta_stride, "u6")
            high = dot(zero_i32_tile(rows), weights, meta + META_HIGH, meta_stride, "u6")
            d, dmin = load_f32x16(unpacked), load_f32x16(unpacked + MINIMA)
            return superblock_add(total, products, d, low, high, dmin, meta, meta_stride)

        return add

    return sums


def _iq4_xs_sums(rows: int) -> Any:
    @inline
    def add(total, unpacked, n_blocks, x, x_stride, meta, meta_stride):
        products = zero_tile(rows)
        for block in range(8):
            start = start_run_tile(rows, meta + META_STARTS + 8 * block, meta_stride, 2, -2)
            part = _eight_bit_dot(start, unpacked + WEIGHTS + 1024 * block, x + 32 * block, x_stride)
            products = product_add(products, part, load_f32x16(unpacked + SCALES + 64 * block))
        return scaled_tile_add(total, products, load_f32x16(unpacked), meta, meta_stride)

    return add


def _block(vectors: Any, scale: Any, header: int, has_minimum: bool = False) -> Any:
    """`Unpacking.unpack` of 32 columns; behind the header are the integers."""

    @inline
    def unpack(w, target, i):
        store_f32x16(target + SCALES + 64 * i, scale(w))
        if has_minimum:
            store_f32x16(target + MINIMA + 64 * i, load_f16x16(w + 32))
        _store(target + WEIGHTS + 512 * i, vectors(w + header))

    return unpack


@inline
def _unpack_iq4_nl(w, target, i):
    store_f32x16(target + SCALES + 64 * i, load_f16x16(w))
    upper, lower = iq4_nibbles(w + 32)
    _store(target + WEIGHTS + 1024 * i, upper)
    _store(target + WEIGHTS + 1024 * i + 512, lower)


@inline
def _unpack_iq4_xs(w, target, i):
    store_f32x16(target, load_f16x16(w))
    for block in range(8):
        store_f32x16(target + SCALES + 64 * block, to_f32(load_s8x16(w + 32 + 16 * block)))
        upper, lower = iq4_nibbles(w + 160 + 256 * block)
        _store(target + WEIGHTS + 1024 * block, upper)
        _store(target + WEIGHTS + 1024 * block + 512, lower)


def _superblock(vectors: Any, q_bytes: int) -> Any:
    """`Unpacking.unpack` of Q4_K and Q5_K."""

    @inline
    def unpack(w, target, i):
        store_f32x16(target, load_f16x16(w))
        store_f32x16(target + MINIMA, load_f16x16(w + 32))
        store_i8x64(target + MINIMA + 64, load_i8x64(w + 64))
        store_i8x64(target + MINIMA + 128, load_i8x64(w + 128))
        for half in range(2):
            scales = w + 192 + (64 + 4 * q_bytes) * half
            for part in range(4):
                block = 4 * half + part
                store_f32x16(target + SCALES + 64 * block, to_f32(load_s8x16(scales + 16 * part)))
                _store(target + WEIGHTS + 512 * block, vectors(scales + 64 + q_bytes * part))

    return unpack


@inline
def _six_bits(q):
    """256 bytes of nibbles and 128 of upper bits, those of columns 0 to 15 in the first 64."""
    a, b, c, d, e, f, g, h = nibbles(q)
    low, high = load_i8x64(q + 256), load_i8x64(q + 320)
    return (
        a | high_bits(low, 0, 2), b | high_bits(low, 2, 2),
        c | high_bits(low, 4, 2), d | high_bits(low, 6, 2),
        e | high_bits(high, 0, 2), f | high_bits(high, 2, 2),
        g | high_bits(high, 4, 2), h | high_bits(high, 6, 2),
    )  # fmt: skip


@inline
def _three_bits(q):
    low, high = three_bits(q)
    return low + high


def _scales_of_16(vectors: Any, first_scale: int, scales_stride: int, first_q: int, q_stride: int) -> Any:
    """`Unpacking.unpack` of Q6_K and Q3_K: where the scales and integers of 32 columns are."""

    @inline
    def unpack(w, target, i):
        store_f32x16(target, load_f16x16(w))
        for block in range(8):
            scales = w + first_scale + scales_stride * block
            store_f32x16(target + SCALES + 128 * block, to_f32(load_s8x16(scales)))
            store_f32x16(target + SCALES + 128 * block + 64, to_f32(load_s8x16(scales + 16)))
            _store(target + WEIGHTS + 512 * block, vectors(w + first_q + q_stride * block))

    return unpack


@inline
def _mxfp4_scale(w):
    return half_power(load_u8x16(w))


def _of_32(name: str, unpack: Any, sums: Any) -> Unpacking:
    return Unpacking(32, LAYOUTS[name].group_bytes, META_BYTES[32], unpack, sums)


def _of_256(name: str, unpack: Any, sums: Any) -> Unpacking:
    return Unpacking(256, LAYOUTS[name].group_bytes, META_BYTES[256], unpack, sums)


_FIVE_BITS, _EIGHT_BITS = _blocks_of_32(_five_bit_dot, 512, 1), _blocks_of_32(_eight_bit_dot, 1024, 0)

UNPACKINGS: dict[str, Unpacking] = {
    "q5_0": _of_32("q5_0", _block(five_bits, load_f16x16, 32), _FIVE_BITS),
    "q5_1": _of_32("q5_1", _block(five_bits, load_f16x16, 64, True), _q5_1_sums),
    "mxfp4": _of_32("mxfp4", _block(fp4_plus_16, _mxfp4_scale, 16), _FIVE_BITS),
    "iq4_nl": _of_32("iq4_nl", _unpack_iq4_nl, _EIGHT_BITS),
    "iq4_xs": _of_256("iq4_xs", _unpack_iq4_xs, _iq4_xs_sums),
    "q4_k": _of_256("q4_k", _superblock(nibbles, 256), _superblocks(_four_bit_dot)),
    "q5_k": _of_256("q5_k", _superblock(five_bits, 320), _superblocks(_five_bit_dot)),
    "q6_k": _of_256("q6_k", _scales_of_16(_six_bits, 32, 416, 64, 416), superblock_sums(16, "u6", 0)),
    "q3_k": _of_256("q3_k", _scales_of_16(_three_bits, 32, 32, 288, 192), superblock_sums(16, "u5", -3)),
}
