"""A matrix product of bytes that have been unpacked once for all tokens of a piece of work.

What takes long to unpack is written down first, 256 columns of 16 rows at a time, and stays in the first
cache while each tile of tokens is multiplied with it: 16 float32 that scale all; at `SCALES`, 16 float32 for
each run of 16 or 32 columns; at `WEIGHTS`, 64 vectors, or 128 of nibbles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rushlight.backends.cpu.dots import DOT_KINDS
from rushlight.backends.cpu.kernels.work import inline, smaller
from rushlight.backends.cpu.records import META_STARTS
from rushlight.backends.cpu.simd import (
    load_f32x16,
    load_tile,
    local_bytes,
    product_add,
    scaled_tile_add,
    splat_f32,
    store_f32x16,
    store_tile,
    zero_tile,
)
from rushlight.backends.cpu.simd.tile_sums import memory_dot, start_run_tile

SCALES, WEIGHTS = 64, 64 + 16 * 64
UNPACKED_BYTES = WEIGHTS + 128 * 64

MOST_ROWS = 128
"""Rows of activations that share what is unpacked: their sums are 8 KiB."""
SUMS_BYTES = 64 * MOST_ROWS


@dataclass(frozen=True)
class Unpacking:
    """How a type is unpacked, and how that is multiplied.

    Attributes:
        columns: of a packed block.
        group_bytes: of a packed block of 16 rows.
        meta_bytes: beside the activations that a block is multiplied with.
        unpack: ``unpack(block, target, i)`` writes a block down, the i-th of those that make 256 columns.
        sums: of the rows of a tile: ``add(tile, unpacked, n_blocks, x, x_stride, meta, meta_stride)``.
    """

    columns: int
    group_bytes: int
    meta_bytes: int
    unpack: Any
    sums: Callable[[int], Any]


OFFSET_KINDS = {16: ("u5", -1), 64: ("u7", 1)}
"""How integers with an offset are multiplied: the kind of dot product, and the shift of what is kept of 16
columns' activations, their sum times -32."""


def superblock_sums(run: int, kind: str, shift: int) -> Callable[[int], Any]:
    """`Unpacking.sums` of integers in a block of 256 columns.

    Args:
        run: columns that have one scale.
        kind: of the dot product.
        shift: integers are stored with an offset of ``32 * 2**shift``.
    """
    starts_in_run, n_runs, vectors = run // 16, 256 // run, DOT_KINDS[kind].vectors
    n_parts, columns = run // (4 * vectors), 4 * vectors

    def sums(rows: int) -> Any:
        @inline
        def add(tile, unpacked, n_blocks, x, x_stride, meta, meta_stride):
            products = zero_tile(rows)
            for i in range(n_runs):
                starts = meta + META_STARTS + 4 * starts_in_run * i
                part_sums = start_run_tile(rows, starts, meta_stride, starts_in_run, shift)
                for part in range(n_parts):
                    column = run * i + columns * part
                    q = unpacked + WEIGHTS + 16 * column
                    part_sums = memory_dot(part_sums, q, x + column, x_stride, kind)
                products = product_add(products, part_sums, load_f32x16(unpacked + SCALES + 64 * i))
            return scaled_tile_add(tile, products, load_f32x16(unpacked), meta, meta_stride)

        return add

    return sums


def _adding(unpacking: Unpacking, rows: int) -> Any:
    """The function that adds what is unpacked to the sums of `rows` tokens in memory."""
    add_blocks = unpacking.sums(rows)

    @inline
    def add(total, unpacked, n_blocks, token, x, x_stride, meta, meta_stride):
        place = total + 64 * token
        tile = load_tile(rows, place, 64)
        x, meta = x + token * x_stride, meta + token * meta_stride
        store_tile(add_blocks(tile, unpacked, n_blocks, x, x_stride, meta, meta_stride), place, 64)

    return add


def unpacked_product(unpacking: Unpacking, tile_rows: int) -> Any:
    """The function that multiplies a group of rows with up to `MOST_ROWS` tokens (see `products`)."""
    add_tile, add_one, unpack = _adding(unpacking, tile_rows), _adding(unpacking, 1), unpacking.unpack
    columns, group_bytes, meta_bytes = unpacking.columns, unpacking.group_bytes, unpacking.meta_bytes
    blocks_at_once = 256 // columns

    @inline
    def product(n_blocks, weight, x, x_stride, meta, meta_stride, y, y_stride, count):
        unpacked, total = local_bytes(UNPACKED_BYTES), local_bytes(SUMS_BYTES)
        for token in range(count):
            store_f32x16(total + 64 * token, splat_f32(0.0))
        for first in range(0, n_blocks, blocks_at_once):
            n = smaller(blocks_at_once, n_blocks - first)
            for i in range(n):
                unpack(weight, unpacked, i)
                weight += group_bytes
            token = 0
            while token + tile_rows <= count:
                add_tile(total, unpacked, n, token, x, x_stride, meta, meta_stride)
                token += tile_rows
            while token < count:
                add_one(total, unpacked, n, token, x, x_stride, meta, meta_stride)
                token += 1
            x += blocks_at_once * columns
            meta += blocks_at_once * meta_bytes
        for token in range(count):
            store_f32x16(y + token * y_stride, load_f32x16(total + 64 * token))

    return product
