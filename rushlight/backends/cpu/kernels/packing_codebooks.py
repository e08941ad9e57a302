"""Packing of the types that hold places in codebooks; the layout is that of `formats_codebooks`."""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import load_u8, load_u16, load_u32, store_u8, store_u16


@inline
def even_signs(seven):
    """Seven signs and an eighth that makes the number of set bits even."""
    odd = seven ^ (seven >> 4)
    odd ^= odd >> 2
    odd ^= odd >> 1
    return seven | ((odd & 1) << 7)


@inline
def _move_bytes(source, target, row, count):
    for i in range(count):
        store_u8(target + 16 * i + row, load_u8(source + i))


@inline
def _move_fours(source, target, row):
    """8 places of entries of 4; of 8 columns, those of 2 rows and of 2 rows from the eighth on take turns."""
    place = target + row % 8 // 2 * 8 + row // 8 * 4 + row % 2 * 2
    for i in range(4):
        store_u16(place + 32 * i, load_u16(source + 2 * i))


@inline
def _words_of_signs(words, stride, target, n_bytes, row):
    """The 8 words of IQ2_XXS and IQ3_XXS, `stride` bytes apart: scales, and signs behind the places."""
    for block in range(8):
        word = load_u32(words + stride * block)
        for group in range(4):
            signs = even_signs((word >> (7 * group)) & 127)
            store_u8(target + 96 + n_bytes * (block + 1) - 64 + 16 * group + row, signs)
        if block % 2 == 0:
            following = load_u32(words + stride * (block + 1))
            store_u8(target + 32 + 8 * block + row, (word >> 28) | ((following >> 28) << 4))


@inline
def _iq2_xxs(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for block in range(8):
        _move_bytes(source + 2 + 8 * block, target + 96 + 128 * block, row, 4)
    _words_of_signs(source + 6, 8, target, 128, row)


@inline
def _iq2_xs(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for block in range(8):
        store_u8(target + 32 + 16 * block + row, load_u8(source + 66 + block))
        place, upper = target + 160 + 144 * block, 0
        for group in range(4):
            word = load_u16(source + 2 + 8 * block + 2 * group)
            store_u8(place + 16 * group + row, word & 255)
            upper |= ((word >> 8) & 1) << (2 * group)
            store_u8(place + 80 + 16 * group + row, even_signs(word >> 9))
        store_u8(place + 64 + row, upper)


@inline
def _iq2_s(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for block in range(8):
        store_u8(target + 32 + 16 * block + row, load_u8(source + 74 + block))
        place = target + 160 + 144 * block
        _move_bytes(source + 2 + 4 * block, place, row, 4)
        store_u8(place + 64 + row, load_u8(source + 66 + block))
        _move_bytes(source + 34 + 4 * block, place + 80, row, 4)


@inline
def _iq3_xxs(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for block in range(8):
        _move_fours(source + 2 + 8 * block, target + 96 + 192 * block, row)
    _words_of_signs(source + 66, 4, target, 192, row)


@inline
def _spread_upper(upper, target, row):
    """The ninth bits of 8 places, to where their first eight are, a bit for a byte."""
    place = row % 8 // 2 * 8 + row // 8 * 4 + row % 2 * 2
    for i in range(4):
        byte = target + 4 * i + place // 8
        store_u8(byte, load_u8(byte) | (((upper >> (2 * i)) & 3) << (place % 8)))


@inline
def _iq3_s(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    _move_bytes(source + 106, target + 32, row, 4)
    for block in range(8):
        place = target + 96 + 208 * block
        _move_fours(source + 2 + 8 * block, place, row)
        _spread_upper(load_u8(source + 66 + block), place + 128, row)
        _move_bytes(source + 74 + 4 * block, place + 144, row, 4)


@inline
def _iq1_s(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for block in range(8):
        word, place = load_u16(source + 34 + 2 * block), target + 160 + 96 * block
        scale, minus, upper = (word >> 12) & 7, word >> 15, 0
        for group in range(4):
            upper |= (((word >> (3 * group)) & 7) | (minus << 3)) << (4 * group)
        store_u8(target + 32 + 16 * block + row, scale | (scale << 4))
        _move_bytes(source + 2 + 4 * block, place, row, 4)
        store_u16(place + 64 + 2 * row, upper)


@inline
def iq1_m_scale_bits(source):
    """The half that lies in the top four bits of 4 words."""
    low = (load_u16(source + 48) >> 12) | ((load_u16(source + 50) >> 12) << 4)
    return low | ((load_u16(source + 52) >> 12) << 8) | ((load_u16(source + 54) >> 12) << 12)


@inline
def iq1_m_scale(source, run):
    """One of 16 scales of 3 bits."""
    return (load_u16(source + 48 + 2 * (run // 4)) >> (3 * (run % 4))) & 7


@inline
def _iq1_m(source, target, row):
    store_u16(target + 2 * row, iq1_m_scale_bits(source))
    for block in range(8):
        scales = iq1_m_scale(source, 2 * block) | (iq1_m_scale(source, 2 * block + 1) << 4)
        store_u8(target + 32 + 16 * block + row, scales)
        place = target + 160 + 96 * block
        _move_bytes(source + 4 * block, place, row, 4)
        store_u16(place + 64 + 2 * row, load_u16(source + 32 + 2 * block))


CODEBOOK_PACKERS: dict[str, Any] = {
    "iq1_s": _iq1_s,
    "iq1_m": _iq1_m,
    "iq2_xxs": _iq2_xxs,
    "iq2_xs": _iq2_xs,
    "iq2_s": _iq2_s,
    "iq3_xxs": _iq3_xxs,
    "iq3_s": _iq3_s,
}
