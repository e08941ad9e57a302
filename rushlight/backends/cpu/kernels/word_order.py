"""Products of types that become vectors in word order (`simd.permutes`); an offset leaves none negative.

One token's activations are put into that order and multiplied with the vectors as they come; for many tokens
a block is written down once (`unpacked`), in the order of its columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rushlight.backends.cpu.kernels.formats import fetching
from rushlight.backends.cpu.kernels.unpacked import OFFSET_KINDS, SCALES, WEIGHTS, Unpacking, superblock_sums
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.layout import Layout
from rushlight.backends.cpu.records import META_BYTES, META_STARTS
from rushlight.backends.cpu.simd import (
    dot,
    load_f16x16,
    local_bytes,
    product_add,
    scaled_tile_add,
    splat_f32,
    store_f32x16,
    store_i8x64,
    store_tile,
    zero_i32_tile,
    zero_tile,
)
from rushlight.backends.cpu.simd.permutes import in_column_order, store_in_word_order
from rushlight.backends.cpu.simd.tile_sums import add_tiles, start_run_tile

Columns = Callable[[int], Any]
"""Of 0 for even and 1 for odd blocks of 32 columns, the function ``columns(w, q, pair)`` of the group's
address, that of the block and the number of its pair of blocks: a scale, 4 vectors of the first 16 columns, a
scale, 4 vectors of the last 16."""


@dataclass(frozen=True)
class WordOrder:
    """A type that becomes vectors in word order. Its block of 256 columns begins with 16 half scales.

    Attributes:
        columns: what they are made from.
        entry: columns of a word, 4 or 8.
        run: columns with a scale, 16 or 32; of 32, both scales of `columns` are the same.
        offset: of the vectors' numbers, 16 or 64.
        first_block: where the first 32 columns are.
        n_bytes: those of 32 columns.
        factor: of the scale of scales.
    """

    columns: Columns
    entry: int
    run: int
    offset: int
    first_block: int
    n_bytes: int
    factor: float


def _run_adder(order: WordOrder) -> Any:
    """The function that adds the products of 32 columns with one token."""
    kind, shift = OFFSET_KINDS[order.offset]

    @inline
    def two(total, columns, x, starts):
        first_scale, first, second_scale, second = columns
        part = dot(start_run_tile(1, starts, 0, 1, shift), first, x, 0, kind)
        total = product_add(total, part, first_scale)
        part = dot(start_run_tile(1, starts + 4, 0, 1, shift), second, x + 16, 0, kind)
        return product_add(total, part, second_scale)

    @inline
    def one(total, columns, x, starts):
        scale, first, _, second = columns
        # Two sums are a shorter wait than one behind the other.
        part = dot(start_run_tile(1, starts, 0, 2, shift), first, x, 0, kind)
        part = add_tiles(part, dot(zero_i32_tile(1), second, x + 16, 0, kind))
        return product_add(total, part, scale)

    return two if order.run == 16 else one


def word_order_product(order: WordOrder, layout: Layout, fetch_bytes: int) -> Any:
    """The function that multiplies a group of rows with one token; its arguments are those of `products`."""
    even, odd, add = order.columns(0), order.columns(1), _run_adder(order)
    entry, first_block, n_bytes, factor, group_bytes, meta_bytes = (
        order.entry, order.first_block, order.n_bytes, order.factor, layout.group_bytes, META_BYTES[256],
    )  # fmt: skip
    fetch_scales, fetch = fetching(1, fetch_bytes, first_block), fetching(1, fetch_bytes, n_bytes)

    @inline
    def product(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride):
        total, ordered = zero_tile(1), local_bytes(256)
        for _ in range(n_blocks):
            fetch_scales(weight)
            for i in range(4):
                store_in_word_order(ordered + 64 * i, x + 64 * i, entry)
            products = zero_tile(1)
            for pair in range(4):
                q, z = weight + first_block + 2 * n_bytes * pair, ordered + 64 * pair
                starts = meta + META_STARTS + 16 * pair
                fetch(q)
                products = add(products, even(weight, q, pair), z, starts)
                fetch(q + n_bytes)
                products = add(products, odd(weight, q + n_bytes, pair), z + 32, starts + 8)
            total = scaled_tile_add(total, products, load_f16x16(weight) * splat_f32(factor), meta, 0)
            weight += group_bytes
            x += 256
            meta += meta_bytes
        store_tile(total, y, 0)

    return product


def _storer(entry: int) -> Any:
    """The function that writes 16 columns in their order."""

    @inline
    def store(target, vectors):
        a, b = in_column_order(vectors[0], vectors[1])
        c, d = in_column_order(vectors[2], vectors[3])
        if entry == 8:
            b, c = c, b
        store_i8x64(target, a)
        store_i8x64(target + 64, b)
        store_i8x64(target + 128, c)
        store_i8x64(target + 192, d)

    return store


def word_order_unpacking(order: WordOrder, layout: Layout) -> Unpacking:
    """How a block is written down for many tokens."""
    even, odd, store_columns = order.columns(0), order.columns(1), _storer(order.entry)
    first_block, n_bytes, factor, run = order.first_block, order.n_bytes, order.factor, order.run

    @inline
    def store(target, block, columns):
        first_scale, first, second_scale, second = columns
        scales, weights = target + SCALES + 2048 // run * block, target + WEIGHTS + 512 * block
        store_f32x16(scales, first_scale)
        if run == 16:
            store_f32x16(scales + 64, second_scale)
        store_columns(weights, first)
        store_columns(weights + 256, second)

    @inline
    def unpack(w, target, i):
        store_f32x16(target, load_f16x16(w) * splat_f32(factor))
        for pair in range(4):
            q = w + first_block + 2 * n_bytes * pair
            store(target, 2 * pair, even(w, q, pair))
            store(target, 2 * pair + 1, odd(w, q + n_bytes, pair))

    sums = superblock_sums(run, *OFFSET_KINDS[order.offset])
    return Unpacking(layout.columns, layout.group_bytes, META_BYTES[256], unpack, sums)
