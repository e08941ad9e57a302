"""Weights from the file's blocks to the layout of the matrix kernels (`formats`): 16 rows side by side.

A vector of 64 bytes holds 4 neighbouring columns of each of 16 rows, so most of the work is moving 32-bit
words: word j of a row's integers goes to vector j, lane `row`. A block of 32 columns of nibbles is 4 vectors
of bytes whose low halves are columns 0 to 15 and whose high halves are columns 16 to 31. Each function here
packs one row's block from `source` (the layouts of ggml's ``block_*`` structs) into its lanes at `target`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.backends.cpu.kernels.packing_codebooks import CODEBOOK_PACKERS
from rushlight.backends.cpu.kernels.packing_few_bits import FEW_BIT_PACKERS
from rushlight.backends.cpu.kernels.packing_tables import TABLE_PACKERS
from rushlight.backends.cpu.kernels.work import inline, smaller, take
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.simd import load_u8, load_u16, load_u32, store_u8, store_u16, store_u32
from rushlight.backends.cpu.target import Target

NIBBLES, BITS, PAIRS = 0x0F0F0F0F, 0x01010101, 0x03030303
"""The low 4, 1 and 2 bits of each byte of a word."""


@inline
def _move_words(source, target, row, count):
    for j in range(count):
        store_u32(target + 64 * j + 4 * row, load_u32(source + 4 * j))


@inline
def _move_half(source, target, row):
    store_u16(target + 2 * row, load_u16(source))


@inline
def _spread_fifth_bits(bits, target, row):
    """Bit i of `bits` is that of column i; bit j of byte c of the lane becomes that of column 4 j + c."""
    word = 0
    for j in range(8):
        nibble = (bits >> (4 * j)) & 15
        # Multiplying copies bit c to bit 8 c.
        word |= ((nibble * 0x00204081) & BITS) << j
    store_u32(target + 4 * row, word)


@inline
def _q4_0(source, target, row):
    _move_half(source, target, row)
    _move_words(source + 2, target + 32, row, 4)


@inline
def _q4_1(source, target, row):
    _move_half(source, target, row)
    _move_half(source + 2, target + 32, row)
    _move_words(source + 4, target + 64, row, 4)


@inline
def _q5_0(source, target, row):
    _move_half(source, target, row)
    _move_words(source + 6, target + 32, row, 4)
    _spread_fifth_bits(load_u32(source + 2), target + 288, row)


@inline
def _q5_1(source, target, row):
    _move_half(source, target, row)
    _move_half(source + 2, target + 32, row)
    _move_words(source + 8, target + 64, row, 4)
    _spread_fifth_bits(load_u32(source + 4), target + 320, row)


@inline
def _q8_0(source, target, row):
    _move_half(source, target, row)
    _move_words(source + 2, target + 32, row, 8)


@inline
def _pack_nibbles(source, shift, target, row):
    """32 nibbles, each in `shift` upwards of a byte of its own, to pairs."""
    for j in range(4):
        low = (load_u32(source + 4 * j) >> shift) & NIBBLES
        high = (load_u32(source + 16 + 4 * j) >> shift) & NIBBLES
        store_u32(target + 64 * j + 4 * row, low | (high << 4))


@inline
def _k_scales(source, target, row, half_bytes):
    """6-bit scales and minima of 8 blocks, in 12 bytes, to a byte each; the scale of minima is negated.

    A lane's minima are the 4 bytes of a lane in each of two vectors, its scales lie 16 bytes apart, 4 before
    each half of the blocks.
    """
    _move_half(source, target, row)
    store_u16(target + 32 + 2 * row, load_u16(source + 2) ^ 0x8000)
    for block in range(4):
        a, b, c = load_u8(source + 4 + block), load_u8(source + 8 + block), load_u8(source + 12 + block)
        minima, scales = target + 64 + 4 * row + block, target + 192 + 16 * block + row
        store_u8(minima, b & 63)
        store_u8(minima + 64, (c >> 4) | ((b >> 6) << 4))
        store_u8(scales, a & 63)
        store_u8(scales + half_bytes, (c & 15) | ((a >> 6) << 4))


@inline
def _q4_k(source, target, row):
    _k_scales(source, target, row, 1088)
    for block in range(8):
        place = target + 256 + block // 4 * 64 + 256 * block
        _pack_nibbles(source + 16 + block // 2 * 32, block % 2 * 4, place, row)


@inline
def _q5_k(source, target, row):
    _k_scales(source, target, row, 1344)
    for block in range(8):
        place = target + 256 + block // 4 * 64 + 320 * block
        _pack_nibbles(source + 48 + block // 2 * 32, block % 2 * 4, place, row)
        word = 0
        for j in range(8):
            word |= ((load_u32(source + 16 + 4 * j) >> block) & BITS) << j
        store_u32(place + 256 + 4 * row, word)


@inline
def _q6_k(source, target, row):
    _move_half(source + 208, target, row)
    for block in range(8):
        half, quarter = block // 4, block % 4
        place = target + 32 + 416 * block
        for part in range(2):
            store_u8(place + 16 * part + row, load_u8(source + 192 + 2 * block + part))
        _pack_nibbles(source + 64 * half + quarter % 2 * 32, quarter // 2 * 4, place + 32, row)
        for part in range(2):
            word = 0
            for j in range(4):
                upper = load_u32(source + 128 + 32 * half + 16 * part + 4 * j) >> (2 * quarter)
                word |= (upper & PAIRS) << (2 * j)
            store_u32(place + 288 + 64 * part + 4 * row, word)


@inline
def _word(source, target, row):
    store_u32(target + 4 * row, load_u32(source))


PACKERS: dict[str, Any] = {
    "f32": _word,
    "f16": _move_half,
    "bf16": _move_half,
    "q4_0": _q4_0,
    "q4_1": _q4_1,
    "q5_0": _q5_0,
    "q5_1": _q5_1,
    "q8_0": _q8_0,
    "q4_k": _q4_k,
    "q5_k": _q5_k,
    "q6_k": _q6_k,
    **FEW_BIT_PACKERS,
    **TABLE_PACKERS,
    **CODEBOOK_PACKERS,
}


def _kernel(pack_block: Any, block_bytes: int, group_bytes: int) -> Callable[..., None]:
    """Pack groups of rows; lanes past the last row keep the zeros that were there."""

    def kernel(op, step, thread, n_threads):
        group = thread
        while group < op.n_groups:
            target = op.y + group * op.n_blocks * group_bytes
            for row in range(smaller(16, op.n_rows - 16 * group)):
                source = op.x + (16 * group + row) * op.x_stride
                for block in range(op.n_blocks):
                    pack_block(source + block * block_bytes, target + block * group_bytes, row)
            group = take(op, op.n_groups, n_threads)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each type, by name."""
    return {
        f"pack_{name}": _kernel(pack_block, LAYOUTS[name].block_bytes, LAYOUTS[name].group_bytes)
        for name, pack_block in PACKERS.items()
    }
