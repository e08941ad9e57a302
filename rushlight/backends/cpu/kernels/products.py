"""A group of 16 weight rows times one row of activations, or a tile of them, for every weight type."""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.formats import FLOATS
from rushlight.backends.cpu.kernels.integer_formats import INTEGERS, meta_bytes_of
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.simd import outer_add, store_tile, zero_tile
from rushlight.backends.cpu.target import Target

TILE_FETCH_BYTES = 8192
"""How far ahead a tile's weights are fetched."""


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


def products(name: str, target: Target) -> tuple[Any, Any]:
    """The functions for `target.tile_rows` rows of activations and for one, of a weight type.

    Both are called with ``(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride)``: addresses of the
    group, of the first row and of what stands beside it, of 16 float32 to write, and bytes from row to row.
    """
    rows = target.tile_rows
    if name in FLOATS:
        return _float_product(name, rows), _float_product(name, 1)
    return _integer_product(name, rows, TILE_FETCH_BYTES), _integer_product(name, 1, target.fetch_bytes)
