"""Products of blocks that hold places in a codebook (`codebooks`).

Vectors are made in pairs, of 8 columns of 8 rows each (`simd.gathers`). One token multiplies them as they
are; for many tokens a whole block is written down once (`unpacked`) and each tile of tokens uses that.
"""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.codebooks import (
    CODEBOOK_FORMATS,
    PLACES_BYTES,
    Codebook,
    odd,
    places_writer,
    scales_writer,
    signs_giver,
    weights_maker,
)
from rushlight.backends.cpu.kernels.formats import fetching
from rushlight.backends.cpu.kernels.unpacked import OFFSET_KINDS, WEIGHTS, Unpacking, superblock_sums
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.records import META_BYTES
from rushlight.backends.cpu.simd import (
    fma,
    load_f16x16,
    load_f32,
    local_bytes,
    splat_f32,
    splat_i32,
    store_f32x16,
    store_i8x64,
    to_f32,
)
from rushlight.backends.cpu.simd.gathers import dot_pairs, fold_pairs, splat_eight, split_pairs
from rushlight.backends.cpu.simd.tables import add_constant, bit_field, load_u8x16


def _run_of_16(book: Codebook, half: int) -> Any:
    """The function that multiplies half of 32 columns; activations get the signs that weights have."""
    first, second = (weights_maker(book, i) for i in (2 * half, 2 * half + 1))
    first_signed, second_signed = signs_giver(book, 2 * half), signs_giver(book, 2 * half + 1)

    @inline
    def products(q, places, x):
        a, b = first(q, places)
        c, d = second(q, places)
        e, f = splat_eight(x), splat_eight(x + 8)
        y, z = first_signed(q, e, e), second_signed(q, f, f)
        low, high = dot_pairs(splat_i32(0), a, y[0]), dot_pairs(splat_i32(0), b, y[1])
        return fold_pairs(dot_pairs(low, c, z[0]), dot_pairs(high, d, z[1]))

    return products


def _scales_of_16(book: Codebook) -> Any:
    """The function that multiplies a block that has a scale for each 16 columns with one token."""
    low, high = (_run_of_16(book, half) for half in range(2))
    n_bytes, place_bytes, first_block = book.n_bytes, book.place_bytes, book.first_block

    @inline
    def sums(w, places, x, fetch):
        total = splat_f32(0.0)
        for block in range(8):
            q, p, y = w + first_block + n_bytes * block, places + place_bytes * block, x + 32 * block
            scales = load_u8x16(w + 32 + 16 * block)
            fetch(q)
            total = fma(odd(bit_field(scales, 0, 4, 0)), to_f32(low(q, p, y)), total)
            total = fma(odd(bit_field(scales, 4, 4, 0)), to_f32(high(q, p, y + 16)), total)
        return total

    return sums


def _scales_of_32(book: Codebook) -> Any:
    """The same where each 32 columns have a scale."""
    low, high = (_run_of_16(book, half) for half in range(2))
    n_bytes, place_bytes, first_block = book.n_bytes, book.place_bytes, book.first_block

    @inline
    def both(q, p, y, fetch):
        fetch(q)
        return to_f32(low(q, p, y) + high(q, p, y + 16))

    @inline
    def sums(w, places, x, fetch):
        total = splat_f32(0.0)
        for pair in range(4):
            q, p = w + first_block + 2 * n_bytes * pair, places + 2 * place_bytes * pair
            y, scales = x + 64 * pair, load_u8x16(w + 32 + 16 * pair)
            total = fma(odd(bit_field(scales, 0, 4, 0)), both(q, p, y, fetch), total)
            part = both(q + n_bytes, p + place_bytes, y + 32, fetch)
            total = fma(odd(bit_field(scales, 4, 4, 0)), part, total)
        return total

    return sums


def codebook_product(name: str, fetch_bytes: int) -> Any:
    """The function that multiplies a group of rows with one token; its arguments are those of `products`."""
    book, layout = CODEBOOK_FORMATS[name], LAYOUTS[name]
    sums = (_scales_of_16 if book.run == 16 else _scales_of_32)(book)
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
            scaled = d * sums(weight, places, x, fetch)
            total = fma(scaled, splat_f32(load_f32(meta)), total)
            weight += group_bytes
            x += 256
            meta += meta_bytes
        store_f32x16(y, total)

    return product


def _unpack_eight(book: Codebook, i: int) -> Any:
    """The function that writes the i-th 8 of 32 columns with their offset."""
    weights, signed, offset = weights_maker(book, i), signs_giver(book, i), book.offset

    @inline
    def unpack(q, places, target):
        a, b = weights(q, places)
        a, b = signed(q, a, b)
        first, second = split_pairs(add_constant(a, offset), add_constant(b, offset))
        store_i8x64(target + 128 * i, first)
        store_i8x64(target + 128 * i + 64, second)

    return unpack


def codebook_unpacking(name: str) -> Unpacking:
    """How a block is written down for many tokens."""
    book, layout = CODEBOOK_FORMATS[name], LAYOUTS[name]
    unpack_0, unpack_1, unpack_2, unpack_3 = (_unpack_eight(book, i) for i in range(4))
    n_bytes, place_bytes, first_block = book.n_bytes, book.place_bytes, book.first_block
    write_places, write_scales = places_writer(book), scales_writer(book)

    @inline
    def unpack(w, target, i):
        places = local_bytes(PLACES_BYTES)
        write_places(w, places)
        write_scales(w, target)
        for block in range(8):
            q, p = w + first_block + n_bytes * block, places + place_bytes * block
            columns = target + WEIGHTS + 512 * block
            unpack_0(q, p, columns)
            unpack_1(q, p, columns)
            unpack_2(q, p, columns)
            unpack_3(q, p, columns)

    sums = superblock_sums(book.run, *OFFSET_KINDS[book.offset])
    return Unpacking(layout.columns, layout.group_bytes, META_BYTES[256], unpack, sums)
