"""Packing of the types that hold places in codebooks; the layout is that of `formats_codebooks`."""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.codebook_tables import trit_numbers_table
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
def _move_pairs(source, target, row, count):
    """Twice as many places as `count`, pairs of them behind those of the row before."""
    for i in range(count):
        store_u16(target + 32 * i + 2 * row, load_u16(source + 2 * i))


@inline
def _put_bits(bits, place):
    """Set bits of two neighbours, of which the first is `place` bits behind address 0, where 0 was."""
    byte = place >> 3
    store_u8(byte, load_u8(byte) | ((bits & 3) << (place & 7)))


@inline
def _even_bits(word):
    """Of each byte the bits 0, 2, 4 and 6, side by side."""
    word &= 0x55555555
    word = (word | (word >> 1)) & 0x33333333
    return (word | (word >> 2)) & 0x0F0F0F0F


@inline
def _signs_of_eights(signs, target, row):
    """A bit for each of 32 columns, to where entries of 8 columns want it (see `codebooks`)."""
    even, odd = _even_bits(signs), _even_bits(signs >> 1)
    even |= even >> 12
    odd |= odd >> 12
    store_u8(target + 4 * row, even & 255)
    store_u8(target + 4 * row + 1, odd & 255)
    store_u8(target + 4 * row + 2, (even >> 8) & 255)
    store_u8(target + 4 * row + 3, (odd >> 8) & 255)


@inline
def _two_of_each(word):
    """The lowest two bits of 4 bytes, side by side."""
    word &= 0x03030303
    word |= word >> 6
    return (word | (word >> 12)) & 255


@inline
def _signs_of_fours(signs, target, row):
    """The same for entries of 4 columns."""
    even, odd = _even_bits(signs), _even_bits(signs >> 1)
    store_u8(target + 4 * row, _two_of_each(even))
    store_u8(target + 4 * row + 1, _two_of_each(odd))
    store_u8(target + 4 * row + 2, _two_of_each(even >> 2))
    store_u8(target + 4 * row + 3, _two_of_each(odd >> 2))


@inline
def _signs_of_word(word):
    """The signs of 32 columns in a word of IQ2_XXS or IQ3_XXS, whose eighths follow from seven."""
    signs = 0
    for group in range(4):
        signs |= even_signs((word >> (7 * group)) & 127) << (8 * group)
    return signs


@inline
def _scales_of_words(words, stride, target, row):
    """The scales in the 8 words of a block, `stride` bytes apart."""
    for pair in range(4):
        first, second = load_u32(words + 2 * stride * pair), load_u32(words + 2 * stride * pair + stride)
        store_u8(target + 16 * pair + row, (first >> 28) | ((second >> 28) << 4))


@inline
def _iq2_xxs(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    _scales_of_words(source + 6, 8, target + 32, row)
    for block in range(8):
        place, words = target + 96 + 128 * block, source + 2 + 8 * block
        _move_pairs(words, place, row, 2)
        _signs_of_eights(_signs_of_word(load_u32(words + 4)), place + 64, row)


@inline
def _iq2_xs(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for block in range(8):
        store_u8(target + 32 + 16 * block + row, load_u8(source + 66 + block))
        place, signs = target + 160 + 136 * block, 0
        for pair in range(2):
            words = load_u32(source + 2 + 8 * block + 4 * pair)
            store_u16(place + 32 * pair + 2 * row, (words & 255) | ((words >> 8) & 0xFF00))
            _put_bits(((words >> 8) & 1) | ((words >> 23) & 2), 8 * (place + 64 + 4 * pair) + 2 * row)
            both = even_signs((words >> 9) & 127) | (even_signs(words >> 25) << 8)
            signs |= both << (16 * pair)
        _signs_of_eights(signs, place + 72, row)


@inline
def _iq3_xxs(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    _scales_of_words(source + 66, 4, target + 32, row)
    for block in range(8):
        place = target + 96 + 192 * block
        _move_pairs(source + 2 + 8 * block, place, row, 4)
        _signs_of_fours(_signs_of_word(load_u32(source + 66 + 4 * block)), place + 128, row)


@inline
def _iq3_s(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    _move_bytes(source + 106, target + 32, row, 4)
    for block in range(8):
        place, upper = target + 96 + 208 * block, load_u8(source + 66 + block)
        _move_pairs(source + 2 + 8 * block, place, row, 4)
        for pair in range(4):
            _put_bits(upper >> (2 * pair), 8 * (place + 128 + 4 * pair) + 2 * row)
        _signs_of_fours(load_u32(source + 74 + 4 * block), place + 144, row)


_iq1_numbers, _iq2_s_numbers = trit_numbers_table("IQ1_S"), trit_numbers_table("IQ2_S")


@inline
def _iq1_number(low, high):
    return load_u16(_iq1_numbers() + 2 * (low | ((high & 7) << 8)))


@inline
def _iq2_s_number(low, high):
    return load_u16(_iq2_s_numbers() + 2 * (low | ((high & 3) << 8)))


@inline
def _store_last_words(c, d, target, row):
    """All but the lowest bits of two numbers."""
    store_u16(target + 2 * row, (c >> 5) | ((d >> 5) << 8))
    store_u8(target + 32 + row, ((c >> 1) & 15) | (((d >> 1) & 15) << 4))


@inline
def _iq1_s(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for block in range(8):
        word, qs, place = load_u16(source + 34 + 2 * block), source + 2 + 4 * block, target + 32 + 112 * block
        a, b = _iq1_number(load_u8(qs), word), _iq1_number(load_u8(qs + 1), word >> 3)
        c, d = _iq1_number(load_u8(qs + 2), word >> 6), _iq1_number(load_u8(qs + 3), word >> 9)
        scale, plus = (word >> 12) & 7, 1 - (word >> 15)
        store_u16(place + 4 * row, (a << 3) | ((scale & 3) << 1) | (c & 1))
        store_u16(place + 4 * row + 2, (b << 3) | (plus << 2) | ((scale >> 2) << 1) | (d & 1))
        _store_last_words(c, d, place + 64, row)


@inline
def _iq2_s(source, target, row):
    store_u16(target + 2 * row, load_u16(source))
    for block in range(8):
        upper, scales, qs = (
            load_u8(source + 66 + block), load_u8(source + 74 + block), source + 2 + 4 * block,
        )  # fmt: skip
        place, half = target + 96 + 176 * block, target + 32 + 16 * (block // 2) + row
        a, b = _iq2_s_number(load_u8(qs), upper), _iq2_s_number(load_u8(qs + 1), upper >> 2)
        c, d = _iq2_s_number(load_u8(qs + 2), upper >> 4), _iq2_s_number(load_u8(qs + 3), upper >> 6)
        store_u16(place + 4 * row, (a << 3) | ((scales & 3) << 1) | (c & 1))
        store_u16(place + 4 * row + 2, (b << 3) | (((scales >> 2) & 3) << 1) | (d & 1))
        _store_last_words(c, d, place + 64, row)
        store_u8(half, load_u8(half) | ((scales >> 4) << (block % 2 * 4)))
        _signs_of_eights(load_u32(source + 34 + 4 * block), place + 112, row)


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
    for run in range(16):
        scale, high, qs = iq1_m_scale(source, run), load_u8(source + 32 + run), source + 2 * run
        a, b = _iq1_number(load_u8(qs), high), _iq1_number(load_u8(qs + 1), high >> 4)
        place = target + 32 + 64 * run + 4 * row
        store_u16(place, (a << 3) | ((scale & 3) << 1) | (1 - ((high >> 3) & 1)))
        store_u16(place + 2, (b << 3) | ((scale >> 2) << 1) | (1 - (high >> 7)))


CODEBOOK_PACKERS: dict[str, Any] = {
    "iq1_s": _iq1_s,
    "iq1_m": _iq1_m,
    "iq2_xxs": _iq2_xxs,
    "iq2_xs": _iq2_xs,
    "iq2_s": _iq2_s,
    "iq3_xxs": _iq3_xxs,
    "iq3_s": _iq3_s,
}
