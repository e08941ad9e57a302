"""How packed superblocks of 256 columns become small integers and scales: Q4_K, Q5_K and Q6_K.

They are packed, and read for one token, in the order in which the columns come: memory gives most where every
line is asked for behind the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.backends.cpu.kernels.formats import BlockSums, fetching, five_bit_sums, nibble_sums
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.records import META_HIGH, META_LOW, META_STARTS
from rushlight.backends.cpu.simd import (
    dot,
    high_bits,
    high_nibbles,
    load_f16x16,
    load_i8x64,
    load_s8x16,
    low_nibbles,
    product_add,
    scaled_tile_add,
    start_tile,
    superblock_add,
    to_f32,
    zero_i32_tile,
    zero_tile,
)


def _in_order(rows: int, fetch_bytes: int) -> bool:
    """Whether all is loaded in the order in which it lies, in blocks that are written out.

    Instead of a loop's counting, more loads are under way. That is for one token where nothing else fetches
    ahead; with 16 registers it costs up to 15 %.
    """
    return rows == 1 and fetch_bytes == 0


def _blocks(add: Any, written_out: bool, count: int) -> Any:
    """The function that adds `count` blocks: ``add(products, w, x, x_stride, meta, meta_stride, block)``."""
    if not written_out:

        @inline
        def loop(products, w, x, x_stride, meta, meta_stride):
            for block in range(count):
                products = add(products, w, x, x_stride, meta, meta_stride, block)
            return products

        return loop
    if count == 0:

        @inline
        def none(products, w, x, x_stride, meta, meta_stride):
            return products

        return none
    before, last = _blocks(add, True, count - 1), count - 1

    @inline
    def in_turn(products, w, x, x_stride, meta, meta_stride):
        products = before(products, w, x, x_stride, meta, meta_stride)
        return add(products, w, x, x_stride, meta, meta_stride, last)

    return in_turn


def _superblock(sums: Callable[[int], Any], q_bytes: int) -> BlockSums:
    """Q4_K and Q5_K: 16 half scales of scales, 16 of minima, 2 vectors of 4 of the 8 minima, then twice: 16
    bytes of each of 4 scales and 4 blocks of integers.
    """

    def block_sums(rows: int, fetch_bytes: int) -> Any:
        integers, in_order = sums(rows), _in_order(rows, fetch_bytes)
        fetch_header, fetch_scales = fetching(rows, fetch_bytes, 192), fetching(rows, fetch_bytes, 64)
        fetch = fetching(rows, fetch_bytes, q_bytes)

        @inline
        def minima(w, x, x_stride):
            weights = (load_i8x64(w), load_i8x64(w + 64))
            return dot(zero_i32_tile(rows), weights, x, x_stride, "u6")

        @inline
        def add_block(products, w, x, x_stride, meta, meta_stride, block):
            q = w + 64 + block * q_bytes
            fetch(q)
            block_products = integers(zero_i32_tile(rows), q, x + 32 * block, x_stride)
            return product_add(products, block_products, to_f32(load_s8x16(w + 16 * block)))

        add_blocks = _blocks(add_block, in_order, 4)

        @inline
        def half(products, w, x, x_stride):
            fetch_scales(w)
            return add_blocks(products, w, x, x_stride, 0, 0)

        @inline
        def both_halves(w, x, x_stride):
            products = half(zero_tile(rows), w + 192, x, x_stride)
            return half(products, w + 256 + 4 * q_bytes, x + 128, x_stride)

        @inline
        def add(total, w, x, x_stride, meta, meta_stride):
            fetch_header(w)
            products = both_halves(w, x, x_stride)
            low = minima(w + 64, meta + META_LOW, meta_stride)
            high = minima(w + 64, meta + META_HIGH, meta_stride)
            d, dmin = load_f16x16(w), load_f16x16(w + 32)
            return superblock_add(total, products, d, low, high, dmin, meta, meta_stride)

        @inline
        def add_in_order(total, w, x, x_stride, meta, meta_stride):
            fetch_header(w)
            d, dmin = load_f16x16(w), load_f16x16(w + 32)
            low = minima(w + 64, meta + META_LOW, meta_stride)
            high = minima(w + 64, meta + META_HIGH, meta_stride)
            products = both_halves(w, x, x_stride)
            return superblock_add(total, products, d, low, high, dmin, meta, meta_stride)

        return add_in_order if in_order else add

    return block_sums


def _q6_k(rows: int, fetch_bytes: int) -> Any:
    """16 half scales of scales, then 8 times: 16 signed bytes of each of 2 scales, 256 bytes of nibbles and
    128 of upper bits, two a vector, those of columns 0 to 15 in the first 64 bytes. The offset is 32.
    """

    fetch_scales, fetch = fetching(rows, fetch_bytes, 32), fetching(rows, fetch_bytes, 416)
    in_order = _in_order(rows, fetch_bytes)

    @inline
    def half_sums(start, a, b, c, d, bits, x, x_stride):
        first = (a | high_bits(bits, 0, 2), b | high_bits(bits, 2, 2))
        second = (c | high_bits(bits, 4, 2), d | high_bits(bits, 6, 2))
        return dot(dot(start, first, x, x_stride, "u6"), second, x + 8, x_stride, "u6")

    @inline
    def add_block(products, w, x, x_stride, meta, meta_stride, block):
        scales, y, starts = w + 416 * block, x + 32 * block, meta + META_STARTS + 8 * block
        fetch(scales)
        q = scales + 32
        a, b, c, e = load_i8x64(q), load_i8x64(q + 64), load_i8x64(q + 128), load_i8x64(q + 192)
        low = half_sums(
            start_tile(rows, starts, meta_stride, 0),
            low_nibbles(a), low_nibbles(b), low_nibbles(c), low_nibbles(e),
            load_i8x64(q + 256), y, x_stride,
        )  # fmt: skip
        products = product_add(products, low, to_f32(load_s8x16(scales)))
        high = half_sums(
            start_tile(rows, starts + 4, meta_stride, 0),
            high_nibbles(a), high_nibbles(b), high_nibbles(c), high_nibbles(e),
            load_i8x64(q + 320), y + 16, x_stride,
        )  # fmt: skip
        return product_add(products, high, to_f32(load_s8x16(scales + 16)))

    add_blocks = _blocks(add_block, in_order, 8)

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch_scales(w)
        d = load_f16x16(w)
        products = add_blocks(zero_tile(rows), w + 32, x, x_stride, meta, meta_stride)
        return scaled_tile_add(total, products, d, meta, meta_stride)

    return add


SUPERBLOCK_FORMATS: dict[str, BlockSums] = {
    "q4_k": _superblock(nibble_sums, 256),
    "q5_k": _superblock(five_bit_sums, 320),
    "q6_k": _q6_k,
}
