"""A row's scores of a chunk of positions, and the weights that they become.

Lanes of 16 positions begin at multiples of 16, and a position that a row may not see adds zero to it, so its
result does not depend on which rows go with it.
"""

from __future__ import annotations

from numba import types

from rushlight.backends.cpu.kernels.attention_parts import LOWEST
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.scratch import CHUNK, LARGEST, SUM, TOKEN
from rushlight.backends.cpu.simd import (
    above,
    below,
    exp,
    lane_index,
    load_f32x16,
    load_i32,
    maximum,
    reduce_add,
    reduce_max,
    select,
    splat_f32,
    splat_i32,
    store_f32,
    store_f32x16,
    tanh,
    to_f32,
)


@inline
def _visible(scores, base, first, last):
    """Scores of positions ``base`` to ``base + 15``; outside ``first`` to ``last`` they are the lowest."""
    positions, lowest = splat_i32(types.int32(base)) + lane_index(), splat_f32(types.float32(LOWEST))
    scores = select(above(positions, splat_i32(types.int32(first - 1))), scores, lowest)
    return select(below(positions, splat_i32(types.int32(last + 1))), scores, lowest)


@inline
def lower_by_distance(weights, begin, end, own, slope):
    """Take from the scores of positions `begin` to ``end - 1`` their distances from `own` times `slope`."""
    for base in range(begin, end, 16):
        place = weights + 4 * (base - begin)
        distance = to_f32(splat_i32(types.int32(base) - own) + lane_index())
        distance = maximum(distance, splat_f32(types.float32(0.0)) - distance)
        store_f32x16(place, load_f32x16(place) - distance * splat_f32(slope))


@inline
def cap(weights, begin, end, softcap):
    """Keep the scores of positions `begin` to ``end - 1`` within `softcap` of 0."""
    for base in range(begin, end, 16):
        place = weights + 4 * (base - begin)
        store_f32x16(place, splat_f32(softcap) * tanh(load_f32x16(place) / splat_f32(softcap)))


@inline
def _first_from(ids, n, position):
    """The place of the first of n ascending positions that is not in front of `position`."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if types.intp(load_i32(ids + 4 * middle)) < position:
            low = middle + 1
        else:
            high = middle
    return low


@inline
def ids_of(op, state, kv_head, row):
    """Where the positions that a row has chosen lie."""
    token = types.intp(load_i32(state + TOKEN + 4 * row))
    return op.chosen + token * op.chosen_stride + kv_head * op.chosen_head


@inline
def any_chosen(op, state, kv_head, row, count, chunk):
    """Whether any of `count` rows from `row` on has chosen a position of a chunk."""
    found = False
    for i in range(row, row + count):
        ids = ids_of(op, state, kv_head, i)
        place = _first_from(ids, op.n_top, chunk * CHUNK)
        if place < op.n_top and types.intp(load_i32(ids + 4 * place)) < (chunk + 1) * CHUNK:
            found = True
    return found


@inline
def keep_chosen(weights, begin, end, ids, n_top):
    """Scores of positions `begin` to ``end - 1`` that are none of the `n_top` at `ids` become the lowest."""
    place = _first_from(ids, n_top, begin)
    for position in range(begin, end):
        if place < n_top and types.intp(load_i32(ids + 4 * place)) == position:
            place += 1
        else:
            store_f32(weights + 4 * (position - begin), types.float32(LOWEST))


@inline
def softmax(weights, begin, end, first, last, part):
    """Scores of positions `begin` to ``end - 1`` to weights, in place; their peak and sum to the part."""
    largest = splat_f32(types.float32(LOWEST))
    for base in range(begin, end, 16):
        place = weights + 4 * (base - begin)
        scores = load_f32x16(place)
        if base < first or base + 15 > last:
            scores = _visible(scores, base, first, last)
        store_f32x16(place, scores)
        largest = maximum(largest, scores)
    highest = reduce_max(largest)
    total = splat_f32(types.float32(0.0))
    for base in range(begin, end, 16):
        place = weights + 4 * (base - begin)
        # Where nothing is visible every difference is 0, and no weight must come of it.
        weight = splat_f32(types.float32(0.0))
        if highest > types.float32(LOWEST):
            weight = exp(load_f32x16(place) - splat_f32(highest))
        store_f32x16(place, weight)
        total = total + weight
    store_f32(part + LARGEST, highest)
    store_f32(part + SUM, reduce_add(total))
