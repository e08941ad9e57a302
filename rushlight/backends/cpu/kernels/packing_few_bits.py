"""Packing of the types of one to three bits and of Q8_K; the layout is that of `formats_few_bits`."""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import load_u8, load_u16, load_u32, store_u8, store_u16, store_u32

BITS, PAIRS = 0x01010101, 0x03030303
"""The low 1 and 2 bits of each byte of a word."""


@inline
def spread_bits(bits, target, row):
    """Bit i of 32 `bits` is that of column i; bit j of byte c of the lane becomes that of column 4 j + c."""
    word = 0
    for j in range(8):
        # Multiplying copies bit c of 4 to bit 8 c.
        word |= ((((bits >> (4 * j)) & 15) * 0x00204081) & BITS) << j
    store_u32(target + 4 * row, word)


@inline
def _spread_pairs(pairs, target, row):
    """Pair i of 16 `pairs` is that of column i."""
    word = 0
    for j in range(4):
        eight = (pairs >> (8 * j)) & 255
        four = (eight & 3) | ((eight & 12) << 6) | ((eight & 48) << 12) | ((eight & 192) << 18)
        word |= four << (2 * j)
    store_u32(target + 4 * row, word)


@inline
def _q1_0(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for block in range(4):
        spread_bits(load_u32(source + 2 + 4 * block), target + 32 + 64 * block, row)


@inline
def _q2_0(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for half in range(4):
        _spread_pairs(load_u32(source + 2 + 4 * half), target + 32 + 64 * half, row)


@inline
def _byte_pairs(source, shift, target, row):
    """16 columns, each in bits `shift` and up of a byte of its own."""
    word = 0
    for j in range(4):
        word |= ((load_u32(source + 4 * j) >> shift) & PAIRS) << (2 * j)
    store_u32(target + 4 * row, word)


@inline
def _tq2_0(source, target, row):
    store_u16(target + 2 * row, load_u16(source + 64))
    for half in range(16):
        place = source + 32 * (half // 8) + 16 * (half % 2)
        _byte_pairs(place, half % 8 // 2 * 2, target + 32 + 64 * half, row)


@inline
def trit(source, column):
    """The digit 0 to 2 of a column of a TQ1_0 block."""
    power = 1
    byte = 48 + column % 4
    digit = (column - 240) // 4
    if column < 160:
        byte = column % 32
        digit = column // 32
    elif column < 240:
        byte = 32 + column % 16
        digit = (column - 160) // 16
    for _ in range(digit):
        power *= 3
    return (((load_u8(source + byte) * power) & 255) * 3) >> 8


@inline
def _tq1_0(source, target, row):
    store_u16(target + 2 * row, load_u16(source + 52))
    for half in range(16):
        word = 0
        for j in range(4):
            for c in range(4):
                word |= trit(source, 16 * half + 4 * j + c) << (8 * c + 2 * j)
        store_u32(target + 32 + 64 * half + 4 * row, word)


@inline
def _q2_k(source, target, row):
    store_u16(target + 2 * row, load_u16(source + 80))
    store_u16(target + 32 + 2 * row, load_u16(source + 82))
    for half in range(16):
        store_u8(target + 64 + 16 * half + row, load_u8(source + half))
        place = source + 16 + 32 * (half // 8) + 16 * (half % 2)
        _byte_pairs(place, half % 8 // 2 * 2, target + 320 + 64 * half, row)


@inline
def q3_k_scale(scales, run):
    """One of 16 scales, -32 to 31, out of the 12 bytes of all."""
    low = (load_u8(scales + run % 8) >> (run // 8 * 4)) & 15
    high = (load_u8(scales + 8 + run % 4) >> (run // 4 * 2)) & 3
    return (low | (high << 4)) - 32


@inline
def _q3_k(source, target, row):
    store_u16(target + 2 * row, load_u16(source + 108))
    for block in range(8):
        place = target + 288 + 192 * block
        word = 0
        for j in range(8):
            word |= ((load_u32(source + 4 * j) >> block) & BITS) << j
        store_u32(place + 128 + 4 * row, word)
        for part in range(2):
            run = 2 * block + part
            store_u8(target + 32 + 16 * run + row, q3_k_scale(source + 96, run))
            pairs = source + 32 + 32 * (block // 4) + 16 * part
            _byte_pairs(pairs, block % 4 * 2, place + 64 * part, row)


@inline
def _q8_k(source, target, row):
    store_u32(target + 4 * row, load_u32(source))
    for j in range(64):
        store_u32(target + 64 + 64 * j + 4 * row, load_u32(source + 4 + 4 * j))


FEW_BIT_PACKERS: dict[str, Any] = {
    "q1_0": _q1_0,
    "q2_0": _q2_0,
    "tq1_0": _tq1_0,
    "tq2_0": _tq2_0,
    "q2_k": _q2_k,
    "q3_k": _q3_k,
    "q8_k": _q8_k,
}
