"""A group of 16 weight rows times one row of activations, or many of them, for every weight type."""

from __future__ import annotations

from typing import Any, NamedTuple

from rushlight.backends.cpu.kernels.codebooks import CODEBOOK_FORMATS
from rushlight.backends.cpu.kernels.formats import FLOATS
from rushlight.backends.cpu.kernels.formats_codebooks import (
    codebook_product,
    codebook_unpacking,
)
from rushlight.backends.cpu.kernels.formats_permuted import permuted_order
from rushlight.backends.cpu.kernels.formats_tables import NVFP4_UNPACKING
from rushlight.backends.cpu.kernels.formats_trits import TRIT_FORMATS
from rushlight.backends.cpu.kernels.formats_unpacked import UNPACKINGS
from rushlight.backends.cpu.kernels.integer_formats import INTEGERS, meta_bytes_of
from rushlight.backends.cpu.kernels.unpacked import Unpacking, unpacked_product
from rushlight.backends.cpu.kernels.word_order import word_order_product, word_order_unpacking
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.simd import outer_add, store_tile, zero_tile
from rushlight.backends.cpu.target import Target

TILE_FETCH_BYTES = 6144
"""How far ahead a tile's weights are fetched."""

LEAST_UNPACKED_ROWS = 48
"""Of types that are unpacked in registers or in memory, as is faster (measured on Zen 4)."""


def _integer_product(name: str, tile_rows: int, fetch_bytes: int) -> Any:
    add_block, layout = INTEGERS[name](tile_rows, fetch_bytes), LAYOUTS[name]
    group_bytes, columns, meta_bytes = layout.group_bytes, layout.columns, meta_bytes_of(name)

    @inline
    def product(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride):
        total = zero_tile(tile_rows)
        for _ in range(n_blocks):
            total = add_block(total, weight, x, x_stride, meta, meta_stride)
            weight += group_bytes
            x += columns
            meta += meta_bytes
        store_tile(total, y, y_stride)

    return product


def _float_product(name: str, tile_rows: int) -> Any:
    """In float32; a block is one column."""
    load, group_bytes = FLOATS[name], LAYOUTS[name].group_bytes

    @inline
    def product(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride):
        total = zero_tile(tile_rows)
        for column in range(n_blocks):
            total = outer_add(total, load(weight), x + 4 * column, x_stride)
            weight += group_bytes
        store_tile(total, y, y_stride)

    return product


def _in_tiles(tile: Any, one: Any, tile_rows: int) -> Any:
    """Whole tiles first, then single rows."""

    @inline
    def product(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride, count):
        row = 0
        while row + tile_rows <= count:
            tile(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride)
            row += tile_rows
            x += tile_rows * x_stride
            meta += tile_rows * meta_stride
            y += tile_rows * y_stride
        while row < count:
            one(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride)
            row += 1
            x += x_stride
            meta += meta_stride
            y += y_stride

    return product


def _unless_one(many: Any, one: Any) -> Any:
    @inline
    def product(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride, count):
        if count == 1:
            one(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride)
        else:
            many(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride, count)

    return product


def _from(least: int, many: Any, few: Any) -> Any:
    @inline
    def product(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride, count):
        if count >= least:
            many(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride, count)
        else:
            few(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride, count)

    return product


def _codebook_product(name: str, target: Target) -> tuple[Any, Unpacking]:
    """The function for one row, and how blocks are unpacked for many."""
    layout, fetch_bytes = LAYOUTS[name], target.fetch_bytes
    if name in CODEBOOK_FORMATS and not target.permutes_words:
        return codebook_product(name, fetch_bytes), codebook_unpacking(name)
    order = TRIT_FORMATS[name] if name in TRIT_FORMATS else permuted_order(name)
    return word_order_product(order, layout, fetch_bytes), word_order_unpacking(order, layout)


class Products(NamedTuple):
    """The functions that multiply a group with rows of activations.

    They are called with ``(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride)``: addresses of the
    group, of the first row and of what stands beside it, of 16 float32 to write, and bytes from row to row.

    Attributes:
        many: for up to `MOST_ROWS` rows, whose number comes last.
        one: for one row.
        unpacks: whether `many` unpacks a block once for all of its rows, not for each tile of them.
    """

    many: Any
    one: Any
    unpacks: bool


def products(name: str, target: Target) -> Products:
    """The functions of a weight type."""
    rows, fetch_bytes = target.tile_rows, target.fetch_bytes
    if name in FLOATS:
        tile, one = _float_product(name, rows), _float_product(name, 1)
        return Products(_in_tiles(tile, one, rows), one, False)
    if name in CODEBOOK_FORMATS or name in TRIT_FORMATS:
        one, unpacking = _codebook_product(name, target)
        return Products(_unless_one(unpacked_product(unpacking, rows), one), one, True)
    one = _integer_product(name, 1, fetch_bytes)
    if name == "nvfp4":
        return Products(_unless_one(unpacked_product(NVFP4_UNPACKING, rows), one), one, True)
    many = _in_tiles(_integer_product(name, rows, TILE_FETCH_BYTES), one, rows)
    if name in UNPACKINGS and target.dots == "avx2":
        many = _from(LEAST_UNPACKED_ROWS, unpacked_product(UNPACKINGS[name], rows), many)
    return Products(many, one, False)
