"""Blocks of IQ1 and IQ2_S, whose entries are kept as numbers of base 3 (`simd.trits`), in word order.

A block begins with 16 half scales; s is a scale that stands for ``2 s + 1``.

IQ1_M: for each 16 columns a vector of words. Bit 0 of a word tells whether 1 is added to its levels (times 8)
or taken from them, and `scale_of_lanes` is s.

IQ1_S: for each 32 columns such a vector for the first 16, whose bit 18 is what is added to all, and 48 bytes
for the last 16 (`last_words`).

IQ2_S: 64 half bytes s, those of the second 16 of 32 columns and of the next 32. Then the same for each 32
columns, where bits 1, 2, 17 and 18 are s of the first 16, and 64 bytes of signs (see `codebooks`).
"""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.codebook_tables import levels_of_pairs
from rushlight.backends.cpu.kernels.codebooks import odd
from rushlight.backends.cpu.kernels.word_order import Columns, WordOrder
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import load_i8x64
from rushlight.backends.cpu.simd.permutes import reflect_where
from rushlight.backends.cpu.simd.tables import bit_field, load_u8x16
from rushlight.backends.cpu.simd.trits import (
    bytes_of_lanes,
    bytes_of_words,
    digit_pairs,
    last_words,
    scale_of_lanes,
    wide_scale_of_lanes,
)


def _vectors(levels: tuple[int, int, int], offset: int) -> Any:
    """``vectors(words)``: 16 columns in word order."""
    low, high = levels_of_pairs([level + offset for level in levels])

    @inline
    def vectors(words):
        first, second = digit_pairs(words)
        return low(first), high(first), low(second), high(second)

    return vectors


# The levels of IQ1, less what is shifted; twice that is added.
_iq1_vectors, _iq2_s_vectors = _vectors((-9, -1, 7), 16), _vectors((8, 25, 43), 64)


@inline
def _plus(vectors, number):
    a, b, c, d = vectors
    return a + number, b + number, c + number, d + number


def _iq1_s(parity: int) -> Any:
    @inline
    def columns(w, q, pair):
        words = load_i8x64(q)
        scale, plus = odd(scale_of_lanes(words)), bytes_of_lanes(words, 2)
        last = _iq1_vectors(last_words(words, q + 64))
        return scale, _plus(_iq1_vectors(words), plus), scale, _plus(last, plus)

    return columns


def _iq1_m(parity: int) -> Any:
    @inline
    def columns(w, q, pair):
        first, second = load_i8x64(q), load_i8x64(q + 64)
        low = _plus(_iq1_vectors(first), bytes_of_words(first, 2))
        high = _plus(_iq1_vectors(second), bytes_of_words(second, 2))
        return odd(scale_of_lanes(first)), low, odd(scale_of_lanes(second)), high

    return columns


@inline
def _low_signs(vectors, signs):
    a, b, c, d = vectors
    return (
        reflect_where(a, signs, 0, 128), reflect_where(b, signs, 1, 128),
        reflect_where(c, signs, 2, 128), reflect_where(d, signs, 3, 128),
    )  # fmt: skip


@inline
def _high_signs(vectors, signs):
    a, b, c, d = vectors
    return (
        reflect_where(a, signs, 4, 128), reflect_where(b, signs, 5, 128),
        reflect_where(c, signs, 6, 128), reflect_where(d, signs, 7, 128),
    )  # fmt: skip


def _iq2_s(parity: int) -> Any:
    nibble = 4 * parity

    @inline
    def columns(w, q, pair):
        words, signs = load_i8x64(q), load_i8x64(q + 112)
        low = _low_signs(_iq2_s_vectors(words), signs)
        high = _high_signs(_iq2_s_vectors(last_words(words, q + 64)), signs)
        scale = odd(bit_field(load_u8x16(w + 32 + 16 * pair), nibble, 4, 0))
        return odd(wide_scale_of_lanes(words)), low, scale, high

    return columns


def _order(columns: Columns, offset: int, first_block: int, n_bytes: int) -> WordOrder:
    return WordOrder(columns, 8, 16, offset, first_block, n_bytes, 0.125)


TRIT_FORMATS: dict[str, WordOrder] = {
    "iq1_s": _order(_iq1_s, 16, 32, 112),
    "iq1_m": _order(_iq1_m, 16, 32, 128),
    "iq2_s": _order(_iq2_s, 64, 96, 176),
}
