"""Rows of the embedding table in the types that hold places in codebooks; see `embedding`."""

from __future__ import annotations

from typing import Any

from numba import types

from rushlight.backends.cpu.kernels.codebook_tables import codebook_words
from rushlight.backends.cpu.kernels.packing_codebooks import even_signs, iq1_m_scale, iq1_m_scale_bits
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import load_f16, load_u8, load_u16, load_u32, store_f32
from rushlight.backends.cpu.simd.tables import f32_from_half_bits


def _run(codebook: str, columns: int) -> Any:
    """The function that gives 8 columns: an entry, or two of 4 columns, with signs."""
    words = codebook_words(codebook)

    @inline
    def run(target, scale, db, first_place, second_place, signs):
        for i in range(8):
            place = words() + columns * first_place + i
            if columns == 4 and i >= 4:
                place = words() + 4 * second_place + i - 4
            value = db * types.float32(load_u8(place))
            if (signs >> i) & 1 != 0:
                value = -value
            store_f32(target + 4 * i, value * scale)

    return run


_iq2_xxs_run, _iq2_xs_run, _iq2_s_run = _run("IQ2_XXS", 8), _run("IQ2_XS", 8), _run("IQ2_S", 8)
_iq3_xxs_run, _iq3_s_run = _run("IQ3_XXS", 4), _run("IQ3_S", 4)


@inline
def _db(d, s, factor):
    return d * (types.float32(0.5) + types.float32(s)) * types.float32(factor)


@inline
def _half(byte, high):
    return (byte >> (4 * high)) & 15


@inline
def _iq2_xxs(source, target, scale):
    d = load_f16(source)
    for group in range(32):
        words = source + 2 + 8 * (group // 4)
        place, other = load_u8(words + group % 4), load_u32(words + 4)
        signs = even_signs((other >> (7 * (group % 4))) & 127)
        _iq2_xxs_run(target + 32 * group, scale, _db(d, other >> 28, 0.25), place, place, signs)


@inline
def _iq2_xs(source, target, scale):
    d = load_f16(source)
    for group in range(32):
        word = load_u16(source + 2 + 2 * group)
        db = _db(d, _half(load_u8(source + 66 + group // 4), group % 4 // 2), 0.25)
        _iq2_xs_run(target + 32 * group, scale, db, word & 511, word & 511, even_signs(word >> 9))


@inline
def _iq2_s(source, target, scale):
    d = load_f16(source)
    for group in range(32):
        upper = (load_u8(source + 66 + group // 4) >> (2 * (group % 4))) & 3
        place = load_u8(source + 2 + group) | (upper << 8)
        db = _db(d, _half(load_u8(source + 74 + group // 4), group % 4 // 2), 0.25)
        _iq2_s_run(target + 32 * group, scale, db, place, place, load_u8(source + 34 + group))


@inline
def _iq3_xxs(source, target, scale):
    d = load_f16(source)
    for group in range(32):
        places, other = source + 2 + 2 * group, load_u32(source + 66 + group // 4 * 4)
        signs = even_signs((other >> (7 * (group % 4))) & 127)
        db = _db(d, other >> 28, 0.5)
        _iq3_xxs_run(target + 32 * group, scale, db, load_u8(places), load_u8(places + 1), signs)


@inline
def _iq3_s(source, target, scale):
    d = load_f16(source)
    for group in range(32):
        upper = load_u8(source + 66 + group // 4) >> (2 * (group % 4))
        first = load_u8(source + 2 + 2 * group) | ((upper & 1) << 8)
        second = load_u8(source + 3 + 2 * group) | ((upper & 2) << 7)
        db = d * types.float32(2 * _half(load_u8(source + 106 + group // 8), group // 4 % 2) + 1)
        _iq3_s_run(target + 32 * group, scale, db, first, second, load_u8(source + 74 + group))


_iq1_words = codebook_words("IQ1_S")


@inline
def _iq1_run(target, scale, dl, place, minus):
    """8 columns ``dl * (level + 1/8)``, or minus 1/8; the levels are kept times 8."""
    for i in range(8):
        byte = load_u8(_iq1_words() + 8 * place + i)
        level = (byte ^ 128) - 128 + 1 - 2 * minus
        store_f32(target + 4 * i, dl * (types.float32(level) * types.float32(0.125)) * scale)


@inline
def _iq1_s(source, target, scale):
    d = load_f16(source)
    for group in range(32):
        word = load_u16(source + 34 + group // 4 * 2)
        place = load_u8(source + 2 + group) | (((word >> (3 * (group % 4))) & 7) << 8)
        dl = d * types.float32(2 * ((word >> 12) & 7) + 1)
        _iq1_run(target + 32 * group, scale, dl, place, word >> 15)


@inline
def _iq1_m(source, target, scale):
    d = f32_from_half_bits(iq1_m_scale_bits(source))
    for group in range(32):
        half = _half(load_u8(source + 32 + group // 2), group % 2)
        place = load_u8(source + group) | ((half & 7) << 8)
        dl = d * types.float32(2 * iq1_m_scale(source, group // 2) + 1)
        _iq1_run(target + 32 * group, scale, dl, place, half >> 3)


CODEBOOK_BLOCKS: dict[str, Any] = {
    "iq1_s": _iq1_s,
    "iq1_m": _iq1_m,
    "iq2_xxs": _iq2_xxs,
    "iq2_xs": _iq2_xs,
    "iq2_s": _iq2_s,
    "iq3_xxs": _iq3_xxs,
    "iq3_s": _iq3_s,
}
