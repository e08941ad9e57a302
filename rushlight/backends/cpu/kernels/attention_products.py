"""The two products of attention, of a block of the cache: queries with keys, weights with values.

A number of either product adds up over columns or positions in their order. How many rows and vectors a grid
holds follows from a target's registers and changes nothing but the speed.
"""

from __future__ import annotations

from typing import Any

from rushlight.backends.cache import BLOCK_TOKENS, VECTOR
from rushlight.backends.cpu.kernels.kv_cache import KVFormat
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.scratch import CHUNK
from rushlight.backends.cpu.simd import add_outer, load_grid, prefetch_second, store_grid, zero_tile
from rushlight.backends.cpu.target import Target

_BLOCK_VECTORS = BLOCK_TOKENS // VECTOR


_WIDE = {1: (8, 6, 4, 2, 1), 4: (4, 2, 1), 8: (3, 2, 1)}
_NARROW = {1: (4, 2, 1), 4: (1,)}
"""Vectors in a row of a grid of values, by its rows: for 32 registers of 512 bits, and for fewer of them."""


def _widths(target: Target) -> dict[int, tuple[int, ...]]:
    return _WIDE if target.tile_rows > 4 else _NARROW


def row_counts(target: Target) -> tuple[int, ...]:
    """How many rows the functions are made for, ascending."""
    return tuple(_widths(target))


def scores(format: KVFormat, rows: int, target: Target) -> Any:
    """The function that leaves the scores of one block, and fetches keys `ahead` bytes behind it."""
    load, row_bytes = format.load_run, BLOCK_TOKENS * format.itemsize
    width = min(_BLOCK_VECTORS, _widths(target)[rows][0])
    grid_rows, vector_bytes = rows * width, VECTOR * format.itemsize

    @inline
    def score(keys, ahead, head_dim, queries, q_bytes, weights, _):
        for first in range(0, _BLOCK_VECTORS, width):
            grid = zero_tile(grid_rows)
            for i in range(head_dim):
                offset = i * row_bytes + first * vector_bytes
                prefetch_second(keys + offset + ahead)
                grid = add_outer(grid, load(width, keys + offset), queries + 4 * i, q_bytes)
            store_grid(grid, width, weights + 64 * first, 4 * CHUNK)

    return score


def _columns(format: KVFormat, rows: int, widths: tuple[int, ...]) -> Any:
    """The function that adds all columns from one on, as many at a time as the first width says."""
    load, itemsize, width = format.load_run, format.itemsize, widths[0]
    rest = _columns(format, rows, widths[1:]) if widths[1:] else None
    line_bytes = VECTOR * width * itemsize

    @inline
    def add(values, ahead, column, v_bytes, sums, part_bytes, weights, count):
        step = v_bytes // 4 * itemsize
        while column + 64 * width <= v_bytes:
            grid, place = load_grid(rows, width, sums + column, part_bytes), values + column // 4 * itemsize
            for i in range(count):
                # One row goes through so fast that the processor itself fetches best what follows.
                if rows > 1:
                    for line in range(0, line_bytes, 64):
                        prefetch_second(place + ahead + line)
                grid = add_outer(grid, load(width, place), weights + 4 * i, 4 * CHUNK)
                place += step
            store_grid(grid, width, sums + column, part_bytes)
            column += 64 * width
        return column

    if rest is None:
        return add

    @inline
    def add_all(values, ahead, column, v_bytes, sums, part_bytes, weights, count):
        column = add(values, ahead, column, v_bytes, sums, part_bytes, weights, count)
        return rest(values, ahead, column, v_bytes, sums, part_bytes, weights, count)

    return add_all


def weighted_values(format: KVFormat, rows: int, target: Target) -> Any:
    """The function that adds the weighted values of the first `count` positions of a block."""
    add = _columns(format, rows, _widths(target)[rows])

    @inline
    def add_values(values, ahead, v_bytes, sums, part_bytes, weights, count):
        add(values, ahead, 0, v_bytes, sums, part_bytes, weights, count)

    return add_values
