"""Packing of the types whose four bits choose one of 16 levels; the layout is that of `formats_tables`."""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import load_u8, load_u16, load_u32, store_u8, store_u16, store_u32

NIBBLES = 0x0F0F0F0F


@inline
def _move_nibbles(source, target, row):
    """16 bytes, whose low halves are columns 0 to 15 of 32."""
    for j in range(4):
        store_u32(target + 64 * j + 4 * row, load_u32(source + 4 * j))


@inline
def _iq4_nl(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    _move_nibbles(source + 2, target + 32, row)


@inline
def iq4_xs_scale(source, block):
    """One of 8 scales, -32 to 31."""
    low = (load_u8(source + 4 + block // 2) >> (block % 2 * 4)) & 15
    high = (load_u16(source + 2) >> (2 * block)) & 3
    return (low | (high << 4)) - 32


@inline
def _iq4_xs(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for block in range(8):
        store_u8(target + 32 + 16 * block + row, iq4_xs_scale(source, block))
        _move_nibbles(source + 8 + 16 * block, target + 160 + 256 * block, row)


@inline
def _mxfp4(source, target, row):
    store_u8(target + row, load_u8(source))
    _move_nibbles(source + 1, target + 16, row)


@inline
def _nvfp4(source, target, row):
    for group in range(4):
        scale = load_u8(source + group)
        # The byte 0x7F stands for 0; kernels take all of 7 bits for numbers.
        if scale == 127:
            scale = 0
        store_u8(target + 16 * group + row, scale & 127)
    for block in range(2):
        # Groups of 16 columns, 8 in low halves of bytes and 8 in high ones, become low and high nibbles.
        qs, place = source + 4 + 16 * block, target + 64 + 256 * block + 4 * row
        for j in range(2):
            first, second = load_u32(qs + 4 * j), load_u32(qs + 8 + 4 * j)
            store_u32(place + 64 * j, (first & NIBBLES) | ((second & NIBBLES) << 4))
            store_u32(place + 128 + 64 * j, ((first >> 4) & NIBBLES) | (second & (NIBBLES << 4)))


TABLE_PACKERS: dict[str, Any] = {
    "iq4_nl": _iq4_nl,
    "iq4_xs": _iq4_xs,
    "mxfp4": _mxfp4,
    "nvfp4": _nvfp4,
}
