"""Packing of 16 rows at once, for the types that most models are made of.

Four words of each row are turned into four vectors of 16 rows in registers. Each function packs one block of
every row: `source` is the first row's, the next row's lies `stride` bytes behind it, and there are `n_rows`,
1 to 16. Lanes past the last row become 0, or -0 where the sign of a number is turned round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.backends.cpu.kernels.packing_few_bits import spread_bits
from rushlight.backends.cpu.kernels.work import inline, smaller, take
from rushlight.backends.cpu.simd import load_i64, load_u16, load_u32, store_i8x64, store_i64, store_u16
from rushlight.backends.cpu.simd.words import (
    bytes_apart,
    four_words,
    halves_apart,
    moved_bits,
    negate_upper_halves,
)


@inline
def _move_halves(source, stride, n_rows, target):
    for row in range(n_rows):
        store_u16(target + 2 * row, load_u16(source + row * stride))


@inline
def _move_words(source, stride, n_rows, target):
    a, b, c, d = four_words(source, stride, n_rows)
    store_i8x64(target, a)
    store_i8x64(target + 64, b)
    store_i8x64(target + 128, c)
    store_i8x64(target + 192, d)


@inline
def _spread_fifth_bits(source, stride, n_rows, target):
    for row in range(n_rows):
        spread_bits(load_u32(source + row * stride), target, row)


@inline
def _q4_0(source, stride, n_rows, target):
    _move_halves(source, stride, n_rows, target)
    _move_words(source + 2, stride, n_rows, target + 32)


@inline
def _q4_1(source, stride, n_rows, target):
    _move_halves(source, stride, n_rows, target)
    _move_halves(source + 2, stride, n_rows, target + 32)
    _move_words(source + 4, stride, n_rows, target + 64)


@inline
def _q5_0(source, stride, n_rows, target):
    _move_halves(source, stride, n_rows, target)
    _move_words(source + 6, stride, n_rows, target + 32)
    _spread_fifth_bits(source + 2, stride, n_rows, target + 288)


@inline
def _q5_1(source, stride, n_rows, target):
    _move_halves(source, stride, n_rows, target)
    _move_halves(source + 2, stride, n_rows, target + 32)
    _move_words(source + 8, stride, n_rows, target + 64)
    _spread_fifth_bits(source + 4, stride, n_rows, target + 320)


@inline
def _q8_0(source, stride, n_rows, target):
    _move_halves(source, stride, n_rows, target)
    _move_words(source + 2, stride, n_rows, target + 32)
    _move_words(source + 18, stride, n_rows, target + 288)


@inline
def _store_pair(low, high, first, place):
    """Columns 0 to 15 and 16 to 31 of a block, each in 4 bits, `first` upwards, of a byte of its own."""
    store_i8x64(place, moved_bits(low, first, 4, 0) | moved_bits(high, first, 4, 4))


@inline
def _pack_nibbles(source, stride, n_rows, lower, upper):
    """32 bytes, whose lower halves are the block at `lower`, the upper ones that at `upper`."""
    a, b, c, d = four_words(source, stride, n_rows)
    e, f, g, h = four_words(source + 16, stride, n_rows)
    for half in range(2):
        place = lower
        if half == 1:
            place = upper
        _store_pair(a, e, 4 * half, place)
        _store_pair(b, f, 4 * half, place + 64)
        _store_pair(c, g, 4 * half, place + 128)
        _store_pair(d, h, 4 * half, place + 192)


@inline
def _k_scales(source, stride, n_rows, target, half_bytes):
    """6-bit scales and minima of 8 blocks, in 12 bytes, to a byte each; the scale of minima is negated.

    A lane's minima are the 4 bytes of a lane in each of two vectors, its scales lie 16 bytes apart, 4 before
    each half of the blocks.
    """
    d, a, b, c = four_words(source, stride, n_rows)
    store_i8x64(target, halves_apart(negate_upper_halves(d)))
    store_i8x64(target + 64, moved_bits(b, 0, 6, 0))
    store_i8x64(target + 128, moved_bits(c, 4, 4, 0) | moved_bits(b, 6, 2, 4))
    store_i8x64(target + 192, bytes_apart(moved_bits(a, 0, 6, 0)))
    upper_scales = bytes_apart(moved_bits(c, 0, 4, 0) | moved_bits(a, 6, 2, 4))
    store_i8x64(target + 192 + half_bytes, upper_scales)


@inline
def _q4_k(source, stride, n_rows, target):
    _k_scales(source, stride, n_rows, target, 1088)
    for pair in range(4):
        place = target + 256 + pair // 2 * 64 + 512 * pair
        _pack_nibbles(source + 16 + 32 * pair, stride, n_rows, place, place + 256)


@inline
def _q5_k(source, stride, n_rows, target):
    _k_scales(source, stride, n_rows, target, 1344)
    a, b, c, d = four_words(source + 16, stride, n_rows)
    e, f, g, h = four_words(source + 32, stride, n_rows)
    for block in range(8):
        first = moved_bits(a, block, 1, 0) | moved_bits(b, block, 1, 1)
        second = moved_bits(c, block, 1, 2) | moved_bits(d, block, 1, 3)
        third = moved_bits(e, block, 1, 4) | moved_bits(f, block, 1, 5)
        fourth = moved_bits(g, block, 1, 6) | moved_bits(h, block, 1, 7)
        place = target + 512 + block // 4 * 64 + 320 * block
        store_i8x64(place, first | second | third | fourth)
    for pair in range(4):
        place = target + 256 + pair // 2 * 64 + 640 * pair
        _pack_nibbles(source + 48 + 32 * pair, stride, n_rows, place, place + 320)


@inline
def _upper_pairs(source, stride, n_rows, target):
    """16 bytes, each with 2 bits of a column of 4 blocks."""
    a, b, c, d = four_words(source, stride, n_rows)
    for quarter in range(4):
        lower = moved_bits(a, 2 * quarter, 2, 0) | moved_bits(b, 2 * quarter, 2, 2)
        upper = moved_bits(c, 2 * quarter, 2, 4) | moved_bits(d, 2 * quarter, 2, 6)
        store_i8x64(target + 416 * quarter, lower | upper)


@inline
def _store_q6_k_scales(scales, target):
    """Four scales of every row: two of a block, 16 bytes each, two of the next block."""
    store_i8x64(target, bytes_apart(scales))
    for i in range(4):
        store_i64(target + 416 + 8 * i, load_i64(target + 32 + 8 * i))


@inline
def _q6_k(source, stride, n_rows, target):
    _move_halves(source + 208, stride, n_rows, target)
    # What lies behind a block's scales is overwritten by its integers.
    a, b, c, d = four_words(source + 192, stride, n_rows)
    _store_q6_k_scales(a, target + 32)
    _store_q6_k_scales(b, target + 864)
    _store_q6_k_scales(c, target + 1696)
    _store_q6_k_scales(d, target + 2528)
    for half in range(2):
        place = target + 64 + 1664 * half
        for part in range(2):
            lower = place + 416 * part
            _pack_nibbles(source + 64 * half + 32 * part, stride, n_rows, lower, lower + 832)
            _upper_pairs(source + 128 + 32 * half + 16 * part, stride, n_rows, place + 256 + 64 * part)


ROW_PACKERS: dict[str, Any] = {
    "q4_0": _q4_0,
    "q4_1": _q4_1,
    "q5_0": _q5_0,
    "q5_1": _q5_1,
    "q8_0": _q8_0,
    "q4_k": _q4_k,
    "q5_k": _q5_k,
    "q6_k": _q6_k,
}


def row_kernel(pack_block: Any, block_bytes: int, group_bytes: int) -> Callable[..., None]:
    """Pack groups of rows, one block of all rows of a group after the other."""

    def kernel(op, step, thread, n_threads):
        group = thread
        while group < op.n_groups:
            source, target = op.x + 16 * group * op.x_stride, op.y + group * op.n_blocks * group_bytes
            n_rows = smaller(16, op.n_rows - 16 * group)
            for block in range(op.n_blocks):
                pack_block(source + block * block_bytes, op.x_stride, n_rows, target + block * group_bytes)
            group = take(op, op.n_groups, n_threads)

    return kernel
