"""Matrix products of a mixture of experts: each row times the matrices of the experts that it has chosen.

The rows of an expert are neighbours in `order` (see `routing`), so its weights are read once for all of them;
what no row has chosen is not read at all. Several rows are gathered side by side, a few go alone: a row's
result is made by the same operations either way, those of `linear`.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from rushlight.backends.cpu.kernels.formats import FLOATS
from rushlight.backends.cpu.kernels.integer_formats import meta_bytes_of
from rushlight.backends.cpu.kernels.products import Products, products
from rushlight.backends.cpu.kernels.work import LEAST_GROUPS, inline, row_count, run_of, smaller, take_run
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.records import RUN_BYTES, RUN_ROWS
from rushlight.backends.cpu.scratch import TILE_ROWS
from rushlight.backends.cpu.simd import (
    load_f32,
    load_f32_partial,
    load_i32,
    load_i64,
    splat_f32,
    store_f32_partial,
)
from rushlight.backends.cpu.target import Target

LEAST_ROWS, LEAST_UNPACKED_ROWS = 3, 2
"""From so many rows on a tile is quicker than one row after the other, even if it is not full; and from so
many on weights are unpacked once for all."""


@inline
def _copy(source, target, n_bytes):
    for i in range(0, n_bytes, 64):
        count = smaller(16, (n_bytes - i) // 4)
        store_f32_partial(target + i, load_f32_partial(source + i, count), count)


@inline
def _row_and_slot(op, place):
    chosen = types.intp(load_i32(op.order + 4 * place))
    return chosen // op.n_used, chosen % op.n_used


@inline
def _input(op, place):
    """Where the activations are, and what stands beside them."""
    row, slot = _row_and_slot(op, place)
    return op.x + row * op.x_stride + slot * op.x_slot, op.meta + row * op.meta_stride + slot * op.meta_slot


@inline
def _scatter(op, expert, first, count, group, tile):
    """From the tile to the rows; the last vector of an expert may be part of one."""
    n_lanes = smaller(16, op.n - 16 * group)
    for i in range(count):
        row, slot = _row_and_slot(op, first + i)
        value = load_f32_partial(tile + 64 * i, n_lanes)
        if op.scales != 0:
            value = value * splat_f32(load_f32(op.scales + 4 * expert))
        if op.bias != 0:
            value = value + load_f32_partial(op.bias + 4 * (expert * op.n + 16 * group), n_lanes)
        store_f32_partial(op.y + row * op.y_stride + 4 * (slot * op.n + 16 * group), value, n_lanes)


def _kernel(
    functions: Products, tile_rows: int, group_bytes: int, x_bytes: int, meta_bytes: int
) -> Callable[..., None]:
    """Share pieces of runs times groups among the threads; a block of x has `x_bytes` and `meta_bytes`."""
    many, one, unpacks = functions
    most_rows, least_rows = (RUN_ROWS, LEAST_UNPACKED_ROWS) if unpacks else (tile_rows, LEAST_ROWS)

    @inline
    def together(op, expert, first, count, group, end, state):
        x_stride, meta_stride = op.n_blocks * x_bytes, op.n_blocks * meta_bytes
        # A tile that is not full repeats its first row, so that it reads nothing foreign.
        n_rows = count if unpacks else tile_rows
        tile = state
        x = tile + 64 * n_rows
        meta = x + n_rows * x_stride
        for i in range(n_rows):
            own_x, own_meta = _input(op, first + i if i < count else first)
            _copy(own_x, x + i * x_stride, x_stride)
            _copy(own_meta, meta + i * meta_stride, meta_stride)
        while group < end:
            weight = op.weight + (expert * op.n_groups + group) * op.n_blocks * group_bytes
            many(op.n_blocks, weight, x, x_stride, meta, meta_stride, tile, 64, n_rows)
            _scatter(op, expert, first, count, group, tile)
            group += 1

    @inline
    def one_row(op, expert, first, group, end, state):
        x, meta = _input(op, first)
        while group < end:
            weight = op.weight + (expert * op.n_groups + group) * op.n_blocks * group_bytes
            one(op.n_blocks, weight, x, 0, meta, 0, state, 64)
            _scatter(op, expert, first, 1, group, state)
            group += 1

    @inline
    def multiply_run(op, run, group, end, state):
        expert, first = types.intp(load_i32(run)), types.intp(load_i32(run + 4))
        stop = types.intp(load_i32(run + 8))
        while first < stop:
            count = smaller(most_rows, stop - first)
            if count >= least_rows:
                together(op, expert, first, count, group, end, state)
            else:
                count = 1
                one_row(op, expert, first, group, end, state)
            first += count

    def kernel(op, step, thread, n_threads):
        if row_count(step, op.rows) == 0:
            return
        state = step.scratch + thread * step.scratch_stride
        n_items = load_i64(op.runs) * op.n_groups
        item, stop = run_of(thread, n_items, n_threads, LEAST_GROUPS)
        while item < n_items:
            while item < stop:
                group = item % op.n_groups
                end = smaller(op.n_groups, group + stop - item)
                multiply_run(op, op.runs + RUN_BYTES * (item // op.n_groups + 1), group, end, state)
                item += end - group
            item, stop = take_run(op, n_items, n_threads, LEAST_GROUPS)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each weight type, by name."""
    rows = target.tile_rows
    assert rows <= TILE_ROWS
    found = {}
    for name, layout in LAYOUTS.items():
        is_float = name in FLOATS
        x_bytes = 4 if is_float else layout.columns
        meta_bytes = 0 if is_float else meta_bytes_of(name)
        found[f"experts_{name}"] = _kernel(
            products(name, target), rows, layout.group_bytes, x_bytes, meta_bytes
        )
    return found
