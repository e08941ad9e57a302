"""How a packed block of places in a codebook becomes signed bytes and scales.

A block begins with 16 half scales and then half bytes of scales s, which stand for ``2 s + 1``, two in a
byte: those of 16 columns and the next 16 (IQ1, IQ2_XS, IQ2_S), or of 32 and the next 32. Each 32 columns have
16 bytes of places for each 8 columns (IQ3: for each 4) and, of most types, one or two upper bits of these, 16
bytes; then 64 bytes of signs, bit j of a byte for vector j. IQ1 has no signs, but 16 bits for 32 columns: for
each 8 of them 3 upper bits and one that tells whether 1 is taken from the levels (times 8) or added.

A place leads to words of 4 columns, which is what a lane holds of a row (`codebook_tables`).
"""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.codebook_tables import codebook_words
from rushlight.backends.cpu.kernels.formats import BlockSums, fetching
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.records import META_STARTS
from rushlight.backends.cpu.simd import (
    above,
    load_f16x16,
    load_i8x64,
    product_add,
    scaled_tile_add,
    select,
    splat_f32,
    splat_i32,
    to_f32,
    zero_i32_tile,
    zero_tile,
)
from rushlight.backends.cpu.simd.tables import (
    as_bytes,
    bit_field,
    gather_u32,
    gather_u64,
    load_u8x16,
    load_u16x16,
    negate_where,
)
from rushlight.backends.cpu.simd.tile_sums import dot_signed_16


@inline
def _odd(s):
    """``2 * s + 1``."""
    return to_f32(s + s + splat_i32(1))


def _with_signs(half: int) -> Any:
    """The function that gives 4 vectors of half a block their signs."""
    bit_0, bit_1, bit_2, bit_3 = (4 * half + j for j in range(4))

    @inline
    def signed(a, b, c, d, bits):
        return (
            negate_where(a, bits, bit_0), negate_where(b, bits, bit_1),
            negate_where(c, bits, bit_2), negate_where(d, bits, bit_3),
        )  # fmt: skip

    return signed


def _by_eight(codebook: str, with_upper: bool, half: int) -> Any:
    """The function that gives 16 of 32 columns: two places of entries of 8."""
    words = codebook_words(codebook)
    signed = _with_signs(half)
    first_place, first_bit, second_bit = 32 * half, 4 * half, 4 * half + 2
    signs_at = 80 if with_upper else 64

    @inline
    def weights(w):
        a, b = load_u8x16(w + first_place), load_u8x16(w + first_place + 16)
        if with_upper:
            upper = load_u8x16(w + 64)
            a, b = a + bit_field(upper, first_bit, 2, 8), b + bit_field(upper, second_bit, 2, 8)
        table, bits = words(), load_i8x64(w + signs_at)
        low_a, high_a = gather_u64(table, a)
        low_b, high_b = gather_u64(table, b)
        return signed(low_a, high_a, low_b, high_b, bits)

    return weights


def _by_four(codebook: str, with_upper: bool, half: int) -> Any:
    """The function that gives 16 of 32 columns: four places of entries of 4."""
    words = codebook_words(codebook)
    signed = _with_signs(half)
    first_place = 64 * half
    bit_0, bit_1, bit_2, bit_3 = (4 * half + j for j in range(4))
    signs_at = 144 if with_upper else 128

    @inline
    def weights(w):
        place = w + first_place
        a, b = load_u8x16(place), load_u8x16(place + 16)
        c, d = load_u8x16(place + 32), load_u8x16(place + 48)
        if with_upper:
            upper = load_u8x16(w + 128)
            a, b = a + bit_field(upper, bit_0, 1, 8), b + bit_field(upper, bit_1, 1, 8)
            c, d = c + bit_field(upper, bit_2, 1, 8), d + bit_field(upper, bit_3, 1, 8)
        table, bits = words(), load_i8x64(w + signs_at)
        first, second = gather_u32(table, a), gather_u32(table, b)
        return signed(first, second, gather_u32(table, c), gather_u32(table, d), bits)

    return weights


def _shifted(codebook: str, with_upper: bool, half: int) -> Any:
    """The function that gives 16 of 32 columns of IQ1: two places, with the sign of what is added."""
    words = codebook_words(codebook)
    first_place = 32 * half
    first_bit, first_minus, second_bit, second_minus = (8 * half + j for j in (0, 3, 4, 7))

    @inline
    def one(minus):
        return as_bytes(select(above(minus, splat_i32(0)), splat_i32(-1), splat_i32(0x01010101)))

    @inline
    def weights(w):
        upper, table = load_u16x16(w + 64), words()
        a = load_u8x16(w + first_place) + bit_field(upper, first_bit, 3, 8)
        b = load_u8x16(w + first_place + 16) + bit_field(upper, second_bit, 3, 8)
        shift_a, shift_b = one(bit_field(upper, first_minus, 1, 0)), one(bit_field(upper, second_minus, 1, 0))
        low_a, high_a = gather_u64(table, a)
        low_b, high_b = gather_u64(table, b)
        return low_a + shift_a, high_a + shift_a, low_b + shift_b, high_b + shift_b

    return weights


def _scales_of_16(half_weights: Any, codebook: str, with_upper: bool, n_bytes: int) -> BlockSums:
    """256 columns, 32 of them in `n_bytes`, with a scale for each 16; the scale of scales is times 1/8."""

    def block_sums(rows: int, fetch_bytes: int) -> Any:
        low_weights, high_weights = (half_weights(codebook, with_upper, half) for half in range(2))
        fetch_scales, fetch = fetching(rows, fetch_bytes, 160), fetching(rows, fetch_bytes, n_bytes)

        @inline
        def add(total, w, x, x_stride, meta, meta_stride):
            fetch_scales(w)
            products = zero_tile(rows)
            for block in range(8):
                q, y, scales = w + 160 + n_bytes * block, x + 32 * block, load_u8x16(w + 32 + 16 * block)
                sums, start = meta + META_STARTS + 8 * block, zero_i32_tile(rows)
                fetch(q)
                low = dot_signed_16(start, low_weights(q), y, x_stride, sums, meta_stride)
                products = product_add(products, low, _odd(bit_field(scales, 0, 4, 0)))
                high = dot_signed_16(start, high_weights(q), y + 16, x_stride, sums + 4, meta_stride)
                products = product_add(products, high, _odd(bit_field(scales, 4, 4, 0)))
            return scaled_tile_add(total, products, load_f16x16(w) * splat_f32(0.125), meta, meta_stride)

        return add

    return block_sums


def _scales_of_32(
    half_weights: Any, codebook: str, with_upper: bool, n_bytes: int, factor: float
) -> BlockSums:
    """256 columns, 32 of them in `n_bytes`, with a scale for each; the scale of scales is times `factor`."""

    def block_sums(rows: int, fetch_bytes: int) -> Any:
        low_weights, high_weights = (half_weights(codebook, with_upper, half) for half in range(2))
        fetch_scales, fetch = fetching(rows, fetch_bytes, 96), fetching(rows, fetch_bytes, 2 * n_bytes)

        @inline
        def add_32(products, q, y, x_stride, sums, sums_stride, s):
            start = zero_i32_tile(rows)
            low = dot_signed_16(start, low_weights(q), y, x_stride, sums, sums_stride)
            both = dot_signed_16(low, high_weights(q), y + 16, x_stride, sums + 4, sums_stride)
            return product_add(products, both, _odd(s))

        @inline
        def add(total, w, x, x_stride, meta, meta_stride):
            fetch_scales(w)
            products = zero_tile(rows)
            for pair in range(4):
                q, y, scales = w + 96 + 2 * n_bytes * pair, x + 64 * pair, load_u8x16(w + 32 + 16 * pair)
                sums, s, t = (
                    meta + META_STARTS + 16 * pair,
                    bit_field(scales, 0, 4, 0),
                    bit_field(scales, 4, 4, 0),
                )
                fetch(q)
                products = add_32(products, q, y, x_stride, sums, meta_stride, s)
                products = add_32(products, q + n_bytes, y + 32, x_stride, sums + 8, meta_stride, t)
            return scaled_tile_add(total, products, load_f16x16(w) * splat_f32(factor), meta, meta_stride)

        return add

    return block_sums


CODEBOOK_FORMATS: dict[str, BlockSums] = {
    "iq1_s": _scales_of_16(_shifted, "IQ1_S", True, 96),
    "iq1_m": _scales_of_16(_shifted, "IQ1_S", True, 96),
    "iq2_xxs": _scales_of_32(_by_eight, "IQ2_XXS", False, 128, 0.125),
    "iq2_xs": _scales_of_16(_by_eight, "IQ2_XS", True, 144),
    "iq2_s": _scales_of_16(_by_eight, "IQ2_S", True, 144),
    "iq3_xxs": _scales_of_32(_by_four, "IQ3_XXS", False, 192, 0.25),
    "iq3_s": _scales_of_32(_by_four, "IQ3_S", True, 208, 1.0),
}
