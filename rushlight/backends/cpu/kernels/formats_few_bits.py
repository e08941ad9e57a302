"""How a packed block of one to three bits a weight, and of Q8_K, becomes small integers, scales and offsets.

Pairs of bits lie as those of Q6_K do: 64 bytes hold 16 columns, bits 2 j and 2 j + 1 those of vector j.
Single bits lie as those of Q5_0 do: 64 bytes hold 32 columns, bit j that of vector j.
"""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.formats import BlockSums, fetching
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.records import META_BYTES, META_HIGH, META_LOW, META_START, META_STARTS
from rushlight.backends.cpu.simd import (
    dot,
    load_f16x16,
    load_f32x16,
    load_i8x64,
    load_s8x16,
    local_bytes,
    product_add,
    scale_add,
    scaled_tile_add,
    splat_f32,
    splat_i32,
    start_tile,
    superblock_add,
    to_f32,
    zero_i32_tile,
    zero_tile,
)
from rushlight.backends.cpu.simd.tables import (
    add_constant,
    as_bytes,
    bit_field,
    load_u8x16,
    low_bits,
)
from rushlight.backends.cpu.simd.tile_sums import dot_signed_16, dot_words, start_part_tile, store_half_sums


@inline
def _pairs(q):
    """4 vectors of 2 bits: 16 columns."""
    bits = load_i8x64(q)
    return low_bits(bits, 0, 2, 0), low_bits(bits, 2, 2, 0), low_bits(bits, 4, 2, 0), low_bits(bits, 6, 2, 0)


@inline
def _plus_seven(a, b, c, d):
    return add_constant(a, 7), add_constant(b, 7), add_constant(c, 7), add_constant(d, 7)


def _q2_0(rows: int, fetch_bytes: int) -> Any:
    """16 half scales, then 2 blocks of 32 columns in pairs. ``q - 1`` is ``q + 7 - 8``."""
    fetch, meta_bytes = fetching(rows, fetch_bytes, LAYOUTS["q2_0"].group_bytes), META_BYTES[32]

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch(w)
        d = load_f16x16(w)
        for block in range(2):
            q, m = w + 32 + 128 * block, meta + meta_bytes * block
            a, b, c, e = _pairs(q)
            f, g, h, i = _pairs(q + 64)
            weights = _plus_seven(a, b, c, e) + _plus_seven(f, g, h, i)
            start = start_tile(rows, m + META_START, meta_stride, 0)
            products = dot(start, weights, x + 32 * block, x_stride, "u4")
            total = scale_add(total, products, d, m, meta_stride)
        return total

    return add


def _q1_0(rows: int, fetch_bytes: int) -> Any:
    """16 half scales, then 4 blocks of 32 columns in single bits. The signs are ``2 * bit + 7 - 8``."""
    fetch, meta_bytes = fetching(rows, fetch_bytes, LAYOUTS["q1_0"].group_bytes), META_BYTES[32]

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch(w)
        d = load_f16x16(w)
        for block in range(4):
            bits, m = load_i8x64(w + 32 + 64 * block), meta + meta_bytes * block
            low = _plus_seven(
                low_bits(bits, 0, 1, 1), low_bits(bits, 1, 1, 1),
                low_bits(bits, 2, 1, 1), low_bits(bits, 3, 1, 1),
            )  # fmt: skip
            high = _plus_seven(
                low_bits(bits, 4, 1, 1), low_bits(bits, 5, 1, 1),
                low_bits(bits, 6, 1, 1), low_bits(bits, 7, 1, 1),
            )  # fmt: skip
            start = start_tile(rows, m + META_START, meta_stride, 0)
            products = dot(start, low + high, x + 32 * block, x_stride, "u4")
            total = scale_add(total, products, d, m, meta_stride)
        return total

    return add


def _ternary(rows: int, fetch_bytes: int) -> Any:
    """TQ1_0 and TQ2_0: 16 half scales, then 8 blocks of 32 columns in pairs; 1 is taken off as a minimum."""
    fetch = fetching(rows, fetch_bytes, LAYOUTS["tq2_0"].group_bytes)

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch(w)
        products = zero_i32_tile(rows)
        for block in range(8):
            q = w + 32 + 128 * block
            products = dot(products, _pairs(q) + _pairs(q + 64), x + 32 * block, x_stride, "u4")
        ones = as_bytes(splat_i32(0x01010101))
        low = dot(zero_i32_tile(rows), (ones, ones), meta + META_LOW, meta_stride, "u6")
        high = dot(zero_i32_tile(rows), (ones, ones), meta + META_HIGH, meta_stride, "u6")
        d, one = load_f16x16(w), splat_f32(1.0)
        sums = product_add(zero_tile(rows), products, one)
        return superblock_add(total, sums, d, low, high, d * splat_f32(-1.0), meta, meta_stride)

    return add


def _q2_k(rows: int, fetch_bytes: int) -> Any:
    """16 half scales of scales, 16 of minima, 16 bytes of each of 16 scales (minima in their high halves),
    then 8 blocks of 32 columns in pairs.
    """
    fetch_scales, fetch = fetching(rows, fetch_bytes, 320), fetching(rows, fetch_bytes, 128)
    sums_bytes = 32 * rows

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch_scales(w)
        products, minima, sums = zero_tile(rows), zero_i32_tile(rows), local_bytes(sums_bytes)
        store_half_sums(rows, sums, meta + META_STARTS, meta_stride)
        for block in range(8):
            q, y = w + 320 + 128 * block, x + 32 * block
            scales = w + 64 + 32 * block
            fetch(q)
            low, high = load_u8x16(scales), load_u8x16(scales + 16)
            first = dot(zero_i32_tile(rows), _pairs(q), y, x_stride, "u5")
            products = product_add(products, first, to_f32(bit_field(low, 0, 4, 0)))
            second = dot(zero_i32_tile(rows), _pairs(q + 64), y + 16, x_stride, "u5")
            products = product_add(products, second, to_f32(bit_field(high, 0, 4, 0)))
            both = bit_field(low, 4, 4, 0) | bit_field(high, 4, 4, 16)
            minima = dot_words(minima, both, sums + 4 * block)
        total = scaled_tile_add(total, products, load_f16x16(w), meta, meta_stride)
        # They are integers below 2**24 as the sum of a block is, whose order does not matter.
        sums_of_minima = product_add(zero_tile(rows), minima, splat_f32(1.0))
        return scaled_tile_add(total, sums_of_minima, load_f16x16(w + 32), meta, meta_stride)

    return add


@inline
def three_bits(q):
    """128 bytes of pairs and 64 of third bits: columns 0 to 15 of 32, and 16 to 31, 4 vectors each."""
    bits = load_i8x64(q + 128)
    a, b, c, e = _pairs(q)
    first = (
        a | low_bits(bits, 0, 1, 2), b | low_bits(bits, 1, 1, 2),
        c | low_bits(bits, 2, 1, 2), e | low_bits(bits, 3, 1, 2),
    )  # fmt: skip
    a, b, c, e = _pairs(q + 64)
    second = (
        a | low_bits(bits, 4, 1, 2), b | low_bits(bits, 5, 1, 2),
        c | low_bits(bits, 6, 1, 2), e | low_bits(bits, 7, 1, 2),
    )  # fmt: skip
    return first, second


def _q3_k(rows: int, fetch_bytes: int) -> Any:
    """16 half scales of scales, 16 signed bytes of each of 16 scales, then 8 blocks of `three_bits`. The
    offset is 4.
    """
    fetch_scales, fetch = fetching(rows, fetch_bytes, 288), fetching(rows, fetch_bytes, 192)

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch_scales(w)
        products = zero_tile(rows)
        for block in range(8):
            q, y = w + 288 + 192 * block, x + 32 * block
            scales, sums = w + 32 + 32 * block, meta + META_STARTS + 8 * block
            fetch(q)
            low, high = three_bits(q)
            first = dot(start_part_tile(rows, sums, meta_stride, 3), low, y, x_stride, "u5")
            products = product_add(products, first, to_f32(load_s8x16(scales)))
            second = dot(start_part_tile(rows, sums + 4, meta_stride, 3), high, y + 16, x_stride, "u5")
            products = product_add(products, second, to_f32(load_s8x16(scales + 16)))
        return scaled_tile_add(total, products, load_f16x16(w), meta, meta_stride)

    return add


def _q8_k(rows: int, fetch_bytes: int) -> Any:
    """16 float32 scales, then 64 vectors of signed bytes."""
    fetch_scales, fetch = fetching(rows, fetch_bytes, 64), fetching(rows, fetch_bytes, 256)

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch_scales(w)
        products = zero_i32_tile(rows)
        for part in range(16):
            q, y = w + 64 + 256 * part, x + 16 * part
            fetch(q)
            weights = (load_i8x64(q), load_i8x64(q + 64), load_i8x64(q + 128), load_i8x64(q + 192))
            sums = meta + META_STARTS + 4 * part
            products = dot_signed_16(products, weights, y, x_stride, sums, meta_stride)
        return scale_add(total, products, load_f32x16(w), meta, meta_stride)

    return add


FEW_BIT_FORMATS: dict[str, BlockSums] = {
    "q1_0": _q1_0,
    "q2_0": _q2_0,
    "tq1_0": _ternary,
    "tq2_0": _ternary,
    "q2_k": _q2_k,
    "q3_k": _q3_k,
    "q8_k": _q8_k,
}
