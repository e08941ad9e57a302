"""Blocks that hold places in a codebook, as vectors in word order, where registers hold the codebook."""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.codebook_tables import (
    code_words_table,
    levels_of_codes,
    levels_of_pairs,
)
from rushlight.backends.cpu.kernels.codebooks import CODEBOOK_FORMATS, Codebook, odd
from rushlight.backends.cpu.kernels.word_order import WordOrder
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import load_i8x64
from rushlight.backends.cpu.simd.permutes import nibble_pair, permute, reflect_where, unmasked_pair
from rushlight.backends.cpu.simd.tables import bit_field, load_u8x16
from rushlight.quants.codebooks import CODEBOOKS


def _words(book: Codebook) -> Any:
    """``words(q)``: the entries of 32 columns, 32 in each of 2 or 4 vectors."""
    table, ninth_bits = code_words_table(book.codebook), book.ninth_bits
    permuted = permute(book.runs, 512 if book.is_wide else 256)

    @inline
    def words(q):
        return permuted(table(), q, q + ninth_bits)

    return words


def _sixteen(book: Codebook, half: int) -> Any:
    """``sixteen(words, signs)``: half of 32 columns, 4 vectors in word order."""
    levels = [level + book.offset for level in CODEBOOKS[book.codebook].levels]
    (i, j, k, n), twice = range(4 * half, 4 * half + 4), 2 * book.offset

    @inline
    def signed(a, b, c, d, signs):
        return (
            reflect_where(a, signs, i, twice), reflect_where(b, signs, j, twice),
            reflect_where(c, signs, k, twice), reflect_where(d, signs, n, twice),
        )  # fmt: skip

    if book.columns == 8:
        first, second = levels_of_pairs(levels)

        @inline
        def of_eights(words, signs):
            low, high = nibble_pair(words[half])
            return signed(first(low), second(low), first(high), second(high), signs)

        return of_eights

    level, left, right = levels_of_codes(levels), 2 * half, 2 * half + 1

    @inline
    def of_fours(words, signs):
        a, b = unmasked_pair(words[left])
        c, d = unmasked_pair(words[right])
        return signed(level(a), level(b), level(c), level(d), signs)

    return of_fours


def _scales(book: Codebook, parity: int) -> Any:
    """``scales(w, pair)``: those of the halves of 32 columns."""
    nibble = 4 * parity

    @inline
    def of_16(w, pair):
        scales = load_u8x16(w + 32 + 32 * pair + 16 * parity)
        return odd(bit_field(scales, 0, 4, 0)), odd(bit_field(scales, 4, 4, 0))

    @inline
    def of_32(w, pair):
        scale = odd(bit_field(load_u8x16(w + 32 + 16 * pair), nibble, 4, 0))
        return scale, scale

    return of_16 if book.run == 16 else of_32


def permuted_order(name: str) -> WordOrder:
    """How blocks of a key of `CODEBOOK_FORMATS` become vectors in word order."""
    book = CODEBOOK_FORMATS[name]
    signs_at = book.signs

    def columns(parity: int) -> Any:
        words_of, low, high, scales_of = (
            _words(book), _sixteen(book, 0), _sixteen(book, 1), _scales(book, parity),
        )  # fmt: skip

        @inline
        def of_block(w, q, pair):
            words, signs = words_of(q), load_i8x64(q + signs_at)
            first, second = low(words, signs), high(words, signs)
            scales = scales_of(w, pair)
            return scales[0], first, scales[1], second

        return of_block

    return WordOrder(
        columns, book.columns, book.run, book.offset, book.first_block, book.n_bytes, book.factor
    )
