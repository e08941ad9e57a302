"""Which experts each row uses, the rows of each expert, and the weighted sum of what the experts gave.

`route` and `combine_experts` treat rows alone, `sort_experts` only lists them: no result depends on which
rows are computed together.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from rushlight.backends.cpu.kernels.argmax import highest_of
from rushlight.backends.cpu.kernels.work import inline, larger, row_count, smaller, take
from rushlight.backends.cpu.records import GATING_OF, RUN_BYTES, RUN_ROWS
from rushlight.backends.cpu.simd import (
    above,
    exp,
    fma,
    lane_index,
    load_f32,
    load_f32_partial,
    load_i32,
    maximum,
    reduce_add,
    select,
    splat_f32,
    splat_i32,
    store_f32,
    store_f32_partial,
    store_i32,
    store_i64,
)
from rushlight.backends.cpu.target import Target

_LOWEST = -float("inf")

_SIGMOID, _SELECTED = GATING_OF["sigmoid"], GATING_OF["softmax_selected"]
_SPARSE_MIXER = GATING_OF["sparse_mixer"]


@inline
def _softmax(x, y, n):
    """Of n numbers, all finite; y may be x."""
    largest = splat_f32(highest_of(x, n))
    total = splat_f32(0.0)
    for i in range(0, n, 16):
        count = smaller(16, n - i)
        weight = exp(load_f32_partial(x + 4 * i, count) - largest)
        weight = select(above(splat_i32(types.int32(count)), lane_index()), weight, splat_f32(0.0))
        store_f32_partial(y + 4 * i, weight, count)
        total = total + weight
    whole = splat_f32(reduce_add(total))
    for i in range(0, n, 16):
        count = smaller(16, n - i)
        store_f32_partial(y + 4 * i, load_f32_partial(y + 4 * i, count) / whole, count)


@inline
def _sigmoid(x, y, n):
    for i in range(0, n, 16):
        count = smaller(16, n - i)
        value = load_f32_partial(x + 4 * i, count)
        store_f32_partial(y + 4 * i, splat_f32(1.0) / (splat_f32(1.0) + exp(splat_f32(0.0) - value)), count)


@inline
def _copy_sum(x, bias, y, n):
    """``x + bias``; x where there is none."""
    for i in range(0, n, 16):
        count = smaller(16, n - i)
        value = load_f32_partial(x + 4 * i, count)
        if bias != 0:
            value = value + load_f32_partial(bias + 4 * i, count)
        store_f32_partial(y + 4 * i, value, count)


@inline
def _best(x, n):
    """The place of the highest of n numbers, of equal ones the first; 0 where all are minus infinity."""
    best, place = types.float32(_LOWEST), 0
    for i in range(n):
        value = load_f32(x + 4 * i)
        if value > best:
            best, place = value, i
    return place


@inline
def _take_best(x, n):
    """`_best`, which is then minus infinity."""
    place = _best(x, n)
    store_f32(x + 4 * place, types.float32(_LOWEST))
    return place


@inline
def _best_groups_only(scores, sums, n, n_group, n_group_used):
    """Scores outside the groups whose two best have the highest sums become minus infinity."""
    size = n // n_group
    for group in range(n_group):
        first = scores + 4 * group * size
        a = _best(first, size)
        second = types.float32(_LOWEST)
        for i in range(size):
            value = load_f32(first + 4 * i)
            if i != a and value > second:
                second = value
        store_f32(sums + 4 * group, load_f32(first + 4 * a) + second)
    for _ in range(n_group_used):
        _take_best(sums, n_group)
    for group in range(n_group):
        if load_f32(sums + 4 * group) > types.float32(_LOWEST):
            for i in range(size):
                store_f32(scores + 4 * (group * size + i), types.float32(_LOWEST))


@inline
def _near_share(x, left, best, n, width):
    """The softmax of the best of n numbers, over those `left` that are near it; x has all of them."""
    total, highest = splat_f32(0.0), splat_f32(best)
    for i in range(0, n, 16):
        count = smaller(16, n - i)
        value, all_of_them = load_f32_partial(left + 4 * i, count), load_f32_partial(x + 4 * i, count)
        size = maximum(maximum(all_of_them, splat_f32(0.0) - all_of_them), highest)
        weight = exp(value - highest)
        weight = select(above(highest - value, splat_f32(width) * size), splat_f32(0.0), weight)
        weight = select(above(splat_i32(types.int32(count)), lane_index()), weight, splat_f32(0.0))
        total = total + weight
    return types.float32(1.0) / reduce_add(total)


@inline
def _choose(op, x, state, ids, y):
    """Ids and weights of a row whose logits are finite."""
    scores, probabilities, sums = state, state + 4 * op.n, state + 8 * op.n
    if op.gating == _SIGMOID:
        _sigmoid(x, probabilities, op.n)
    elif op.gating in (_SELECTED, _SPARSE_MIXER):
        _copy_sum(x, 0, probabilities, op.n)
    else:
        _softmax(x, probabilities, op.n)
    source = x if op.bias == 0 and op.n_group == 1 else probabilities
    _copy_sum(source, op.bias, scores, op.n)
    if op.n_group > 1:
        _best_groups_only(scores, sums, op.n, op.n_group, op.n_group_used)
    for slot in range(op.n_used):
        expert = _best(scores, op.n)
        weight = load_f32(probabilities + 4 * expert)
        if op.gating == _SPARSE_MIXER:
            weight = _near_share(x, scores, weight, op.n, op.width)
        store_f32(scores + 4 * expert, types.float32(_LOWEST))
        store_i32(ids + 4 * slot, types.int32(expert))
        store_f32(y + 4 * slot, weight)
    if op.gating == _SELECTED:
        _softmax(y, y, op.n_used)
    total = types.float32(1.0)
    if op.normalize != 0:
        total = types.float32(0.0)
        for slot in range(op.n_used):
            total = total + load_f32(y + 4 * slot)
        total = larger(total, op.smallest_sum)
    for slot in range(op.n_used):
        weight = load_f32(y + 4 * slot) / total * op.scale
        if op.scales != 0:
            weight = weight * load_f32(op.scales + 4 * types.intp(load_i32(ids + 4 * slot)))
        store_f32(y + 4 * slot, weight)


def route(op, step, thread, n_threads):
    """The `n_used` best experts of each row of logits and their weights."""
    rows, state = row_count(step, op.rows), step.scratch + thread * step.scratch_stride
    row = thread
    while row < rows:
        x, ids, y = op.x + row * op.x_stride, op.ids + row * op.ids_stride, op.y + row * op.y_stride
        taint = highest_of(x, op.n)
        if taint - taint == types.float32(0.0):
            _choose(op, x, state, ids, y)
        else:
            for slot in range(op.n_used):
                store_i32(ids + 4 * slot, types.int32(slot))
                store_f32(y + 4 * slot, taint)
        row = take(op, rows, n_threads)


@inline
def _write_runs(op, starts):
    """Each expert's rows in runs of at most `RUN_ROWS`; behind their number, an `ExpertRun` for each."""
    n_runs = 0
    for expert in range(op.n):
        first, stop = types.intp(load_i32(starts + 4 * expert)), types.intp(load_i32(starts + 4 * expert + 4))
        while first < stop:
            n_runs += 1
            run = op.runs + RUN_BYTES * n_runs
            store_i32(run, types.int32(expert))
            store_i32(run + 4, types.int32(first))
            first = smaller(stop, first + RUN_ROWS)
            store_i32(run + 8, types.int32(first))
    store_i64(op.runs, n_runs)


def sort_experts(op, step, thread, n_threads):
    """A counting sort, by one thread: `order` lists ``row * n_used + slot``, expert after expert."""
    rows = row_count(step, op.rows)
    if rows == 0 or thread != 0:
        return
    starts = step.scratch + thread * step.scratch_stride
    for expert in range(op.n + 1):
        store_i32(starts + 4 * expert, types.int32(0))
    for row in range(rows):
        for slot in range(op.n_used):
            place = starts + 4 * types.intp(load_i32(op.ids + row * op.ids_stride + 4 * slot)) + 4
            store_i32(place, load_i32(place) + types.int32(1))
    for expert in range(op.n):
        place = starts + 4 * expert
        store_i32(place + 4, load_i32(place + 4) + load_i32(place))
    _write_runs(op, starts)
    for row in range(rows):
        for slot in range(op.n_used):
            place = starts + 4 * types.intp(load_i32(op.ids + row * op.ids_stride + 4 * slot))
            next = load_i32(place)
            store_i32(op.order + 4 * types.intp(next), types.int32(row * op.n_used + slot))
            store_i32(place, next + types.int32(1))


def combine_experts(op, step, thread, n_threads):
    """The weighted sum of the `n_used` runs of `n` columns of each row."""
    rows = row_count(step, op.rows)
    row = thread
    while row < rows:
        x, weights, y = op.x + row * op.x_stride, op.z + row * op.z_stride, op.y + row * op.y_stride
        for i in range(0, op.n, 16):
            count = smaller(16, op.n - i)
            total = load_f32_partial(x + 4 * i, count) * splat_f32(load_f32(weights))
            for slot in range(1, op.n_used):
                value = load_f32_partial(x + 4 * (slot * op.n + i), count)
                total = fma(value, splat_f32(load_f32(weights + 4 * slot)), total)
            store_f32_partial(y + 4 * i, total, count)
        row = take(op, rows, n_threads)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The kernels, by name."""
    return {"route": route, "sort_experts": sort_experts, "combine_experts": combine_experts}
