"""Products of blocks that hold places in a codebook (`codebooks`).

Vectors are made in pairs, of 8 columns of 8 rows each (`simd.gathers`). One token multiplies them as they
are; for many tokens a whole block is written down once (`unpacked`) and each tile of tokens uses that.
"""

from __future__ import annotations

from typing import Any

from numba import types

from rushlight.backends.cpu.kernels.codebooks import (
    CODEBOOK_FORMATS,
    LEAST_SHIFTED,
    PLACES_BYTES,
    Codebook,
    places_writer,
    signs_giver,
    source_maker,
    weights_maker,
)
from rushlight.backends.cpu.kernels.formats import fetching
from rushlight.backends.cpu.kernels.unpacked import SCALES, WEIGHTS, Unpacking, superblock_sums
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.records import META_BYTES, META_STARTS
from rushlight.backends.cpu.simd import (
    fma,
    load_f16x16,
    load_f32,
    load_i32,
    local_bytes,
    splat_f32,
    splat_i32,
    store_f32x16,
    store_i8x64,
    to_f32,
)
from rushlight.backends.cpu.simd.gathers import dot_pairs, fold_pairs, splat_eight, split_pairs
from rushlight.backends.cpu.simd.tables import add_constant, bit_field, load_u8x16
from rushlight.backends.cpu.target import Target


@inline
def _odd(s):
    """``2 * s + 1``."""
    return to_f32(s + s + splat_i32(1))


def _run_of_16(book: Codebook, half: int, in_registers: bool) -> Any:
    """The function that multiplies half of 32 columns; activations get the signs that weights have."""
    first, second = (weights_maker(book, i, in_registers) for i in (2 * half, 2 * half + 1))
    first_signed, second_signed = signs_giver(book, 2 * half), signs_giver(book, 2 * half + 1)

    @inline
    def products(a, b, c, d, x, y):
        zero = splat_i32(0)
        low, high = dot_pairs(zero, a, x[0]), dot_pairs(zero, b, x[1])
        return fold_pairs(dot_pairs(low, c, y[0]), dot_pairs(high, d, y[1]))

    @inline
    def signed(q, source, x, sums):
        a, b = first(q, source)
        c, d = second(q, source)
        e, f = splat_eight(x), splat_eight(x + 8)
        return products(a, b, c, d, first_signed(q, e, e), second_signed(q, f, f))

    @inline
    def shifted(q, source, x, sums):
        a, b = first(q, source)
        c, d = second(q, source)
        e, f = splat_eight(x), splat_eight(x + 8)
        # The sum is kept times -32.
        offset = types.int32((load_i32(sums) >> 5) * -LEAST_SHIFTED)
        return products(a, b, c, d, (e, e), (f, f)) + splat_i32(offset)

    return shifted if book.is_shifted else signed


def _scales_of_16(book: Codebook, in_registers: bool) -> Any:
    """The function that multiplies a block that has a scale for each 16 columns with one token."""
    low, high = (_run_of_16(book, half, in_registers) for half in range(2))
    n_bytes, place_bytes, first_block = book.n_bytes, book.place_bytes, book.first_block
    source_of = source_maker(book, in_registers)

    @inline
    def sums(w, places, x, meta, fetch):
        total = splat_f32(0.0)
        for block in range(8):
            q, p, s = w + first_block + n_bytes * block, places + place_bytes * block, w + 32 + 16 * block
            y, starts, scales = x + 32 * block, meta + META_STARTS + 8 * block, load_u8x16(s)
            fetch(q)
            source = source_of(q, p)
            part = to_f32(low(q, source, y, starts))
            total = fma(_odd(bit_field(scales, 0, 4, 0)), part, total)
            part = to_f32(high(q, source, y + 16, starts + 4))
            total = fma(_odd(bit_field(scales, 4, 4, 0)), part, total)
        return total

    return sums


def _scales_of_32(book: Codebook, in_registers: bool) -> Any:
    """The same where each 32 columns have a scale."""
    low, high = (_run_of_16(book, half, in_registers) for half in range(2))
    n_bytes, place_bytes, first_block = book.n_bytes, book.place_bytes, book.first_block
    source_of = source_maker(book, in_registers)

    @inline
    def both(q, p, y, fetch):
        fetch(q)
        source = source_of(q, p)
        return to_f32(low(q, source, y, y) + high(q, source, y + 16, y))

    @inline
    def sums(w, places, x, meta, fetch):
        total = splat_f32(0.0)
        for pair in range(4):
            q, p, s = (
                w + first_block + 2 * n_bytes * pair,
                places + 2 * place_bytes * pair,
                w + 32 + 16 * pair,
            )
            y, scales = x + 64 * pair, load_u8x16(s)
            total = fma(_odd(bit_field(scales, 0, 4, 0)), both(q, p, y, fetch), total)
            part = both(q + n_bytes, p + place_bytes, y + 32, fetch)
            total = fma(_odd(bit_field(scales, 4, 4, 0)), part, total)
        return total

    return sums


def codebook_product(name: str, target: Target) -> Any:
    """The function that multiplies a group of rows with one token; its arguments are those of `products`."""
    book, layout, fetch_bytes = CODEBOOK_FORMATS[name], LAYOUTS[name], target.fetch_bytes
    sums = (_scales_of_16 if book.run == 16 else _scales_of_32)(book, target.permutes_words)
    write_places, factor, group_bytes, meta_bytes = (
        places_writer(book), book.factor, layout.group_bytes, META_BYTES[256],
    )  # fmt: skip
    fetch_scales = fetching(1, fetch_bytes, book.first_block)
    fetch = fetching(1, fetch_bytes, book.n_bytes)

    @inline
    def product(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride):
        places, total = local_bytes(PLACES_BYTES), splat_f32(0.0)
        for _ in range(n_blocks):
            fetch_scales(weight)
            write_places(weight, places)
            d = load_f16x16(weight) * splat_f32(factor)
            scaled = d * sums(weight, places, x, meta, fetch)
            total = fma(scaled, splat_f32(load_f32(meta)), total)
            weight += group_bytes
            x += 256
            meta += meta_bytes
        store_f32x16(y, total)

    return product


def _unpack_eight(book: Codebook, i: int, in_registers: bool) -> Any:
    """The function that writes 8 of 32 columns with their offset."""
    weights, signed_by = weights_maker(book, i, in_registers), signs_giver(book, i)
    offset, shifted_offset = book.offset, book.offset + LEAST_SHIFTED

    @inline
    def store(target, a, b):
        first, second = split_pairs(a, b)
        store_i8x64(target + 128 * i, first)
        store_i8x64(target + 128 * i + 64, second)

    @inline
    def signed(q, source, target):
        a, b = weights(q, source)
        a, b = signed_by(q, a, b)
        store(target, add_constant(a, offset), add_constant(b, offset))

    @inline
    def shifted(q, source, target):
        a, b = weights(q, source)
        store(target, add_constant(a, shifted_offset), add_constant(b, shifted_offset))

    return shifted if book.is_shifted else signed


def codebook_unpacking(name: str, target: Target) -> Unpacking:
    """How a block is written down for many tokens."""
    book, layout = CODEBOOK_FORMATS[name], LAYOUTS[name]
    unpack_0, unpack_1, unpack_2, unpack_3 = (_unpack_eight(book, i, target.permutes_words) for i in range(4))
    n_bytes, place_bytes, first_block, factor = (
        book.n_bytes, book.place_bytes, book.first_block, book.factor,
    )  # fmt: skip
    source_of = source_maker(book, target.permutes_words)
    write_places, n_scales = places_writer(book), 128 // book.run

    @inline
    def unpack(w, target, i):
        places = local_bytes(PLACES_BYTES)
        write_places(w, places)
        store_f32x16(target, load_f16x16(w) * splat_f32(factor))
        for scale in range(n_scales):
            scales = load_u8x16(w + 32 + 16 * scale)
            store_f32x16(target + SCALES + 128 * scale, _odd(bit_field(scales, 0, 4, 0)))
            store_f32x16(target + SCALES + 128 * scale + 64, _odd(bit_field(scales, 4, 4, 0)))
        for block in range(8):
            q, p = w + first_block + n_bytes * block, places + place_bytes * block
            columns, source = target + WEIGHTS + 512 * block, source_of(q, p)
            unpack_0(q, source, columns)
            unpack_1(q, source, columns)
            unpack_2(q, source, columns)
            unpack_3(q, source, columns)

    sums = superblock_sums(book.run, book.offset)
    return Unpacking(layout.columns, layout.group_bytes, META_BYTES[256], unpack, sums)
