"""The rows of attention: queries that share a key-value head and go through the cache together.

A row is a pair of a token and a query head. It takes a chunk of positions in three passes: all scores, their
softmax, the weighted values. Lanes of 16 positions begin at multiples of 16, and a position that a row may
not see adds zero to it, so its result does not depend on which rows go with it.
"""

from __future__ import annotations

from typing import Any

from numba import types

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.kernels.kv_cache import KVFormat, block_of
from rushlight.backends.cpu.kernels.work import inline, larger, smaller
from rushlight.backends.cpu.scratch import (
    CHUNK,
    FIRST,
    LARGEST,
    LAST,
    OWN,
    QUERIES,
    ROWS,
    SLOPE,
    SUM,
    TOKEN,
    VALUES,
    WEIGHTS,
)
from rushlight.backends.cpu.simd import (
    above,
    below,
    exp,
    fma,
    fma_scalar,
    lane_index,
    load_f32,
    load_f32_partial,
    load_f32x16,
    load_i32,
    load_tile,
    maximum,
    outer_add,
    prefetch_second,
    reduce_add,
    reduce_max,
    scaled_add,
    select,
    splat_f32,
    splat_i32,
    store_f32,
    store_f32_partial,
    store_f32x16,
    store_i32,
    store_tile,
    tanh,
    to_f32,
    zero_tile,
)

LOWEST = -1e30
"""Stands for minus infinity, whose differences would be NaN."""


@inline
def empty_part(part, v_bytes):
    """A part that has seen no position."""
    store_f32(part + LARGEST, types.float32(LOWEST))
    store_f32(part + SUM, types.float32(0.0))
    for column in range(0, v_bytes, 64):
        store_f32x16(part + VALUES + column, splat_f32(types.float32(0.0)))


@inline
def fold_part(total, part, v_bytes):
    """Add a part to another: both sums are scaled to the larger of the two largest scores."""
    before, own = load_f32(total + LARGEST), load_f32(part + LARGEST)
    largest = own if own > before else before
    keep, take = exp(splat_f32(before - largest)), exp(splat_f32(own - largest))
    kept = load_f32(total + SUM) * reduce_max(keep)
    store_f32(total + LARGEST, largest)
    store_f32(total + SUM, fma_scalar(load_f32(part + SUM), reduce_max(take), kept))
    for column in range(0, v_bytes, 64):
        kept_values = load_f32x16(total + VALUES + column) * keep
        store_f32x16(total + VALUES + column, fma(load_f32x16(part + VALUES + column), take, kept_values))


@inline
def fold_sink(op, total, head, v_bytes):
    """Add the score of a head's sink, if there are any, which weighs like a position and has no value."""
    if op.sinks != 0:
        before, own = load_f32(total + LARGEST), load_f32(op.sinks + 4 * head)
        largest = own if own > before else before
        keep, share = exp(splat_f32(before - largest)), exp(splat_f32(own - largest))
        store_f32(total + SUM, fma_scalar(load_f32(total + SUM), reduce_max(keep), reduce_max(share)))
        for column in range(0, v_bytes, 64):
            store_f32x16(total + VALUES + column, load_f32x16(total + VALUES + column) * keep)


@inline
def finish_part(total, y, head_dim_v):
    """The weighted mean of the values."""
    weight = splat_f32(load_f32(total + SUM))
    for column in range(0, head_dim_v, 16):
        value = load_f32x16(total + VALUES + 4 * column) / weight
        store_f32_partial(y + 4 * column, value, smaller(16, head_dim_v - column))


@inline
def first_position(op, position):
    """The first position that a token sees."""
    if op.chunked != 0:
        return position - position % op.window
    return larger(0, position - op.window + 1) if op.window > 0 else 0


@inline
def last_position(op, step, token, position):
    """The last position that a token sees: its own, or one up to `ahead` behind it that the step has."""
    last = position
    if op.ahead > 0:
        sequence = types.intp(load_i32(step.token_seq + 4 * token))
        stop = types.intp(load_i32(step.query_start + 4 * (sequence + 1)))
        last = smaller(position + op.ahead, types.intp(load_i32(step.positions + 4 * (stop - 1))))
    return last


@inline
def load_rows(op, step, state, start, row, n_rows, kv_head, q_bytes, rows):
    """Set up `rows` rows from `row` on: scaled queries and positions; rows past `n_rows` see none."""
    per_head = op.n_head // op.n_head_kv
    for i in range(rows):
        # A row too many repeats the first row's query, so that it reads nothing foreign.
        r = row + i if row + i < n_rows else row
        token, head = start + r // per_head, kv_head * per_head + r % per_head
        source, query = op.q + token * op.q_stride + 4 * head * op.head_dim_k, state + QUERIES + i * q_bytes
        for column in range(0, op.head_dim_k, 16):
            count = smaller(16, op.head_dim_k - column)
            scaled = load_f32_partial(source + 4 * column, count) * splat_f32(op.scale)
            store_f32_partial(query + 4 * column, scaled, count)
        own = types.intp(load_i32(step.positions + 4 * token))
        last = last_position(op, step, token, own)
        store_i32(state + FIRST + 4 * i, types.int32(first_position(op, own)))
        store_i32(state + LAST + 4 * i, types.int32(last if row + i < n_rows else -1))
        store_i32(state + TOKEN + 4 * i, types.int32(token))
        if op.slopes != 0:
            store_i32(state + OWN + 4 * i, types.int32(own))
            store_f32(state + SLOPE + 4 * i, load_f32(op.slopes + 4 * head))


@inline
def _visible(scores, base, first, last):
    """Scores of positions ``base`` to ``base + 15``; outside ``first`` to ``last`` they are the lowest."""
    positions, lowest = splat_i32(types.int32(base)) + lane_index(), splat_f32(types.float32(LOWEST))
    scores = select(above(positions, splat_i32(types.int32(first - 1))), scores, lowest)
    return select(below(positions, splat_i32(types.int32(last + 1))), scores, lowest)


@inline
def _lower_by_distance(weights, begin, end, own, slope):
    """Take from the scores of positions `begin` to ``end - 1`` their distances from `own` times `slope`."""
    for base in range(begin, end, 16):
        place = weights + 4 * (base - begin)
        distance = to_f32(splat_i32(types.int32(base) - own) + lane_index())
        distance = maximum(distance, splat_f32(types.float32(0.0)) - distance)
        store_f32x16(place, load_f32x16(place) - distance * splat_f32(slope))


@inline
def _cap(weights, begin, end, softcap):
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
def _ids_of(op, state, kv_head, row):
    """Where the positions that a row has chosen lie."""
    token = types.intp(load_i32(state + TOKEN + 4 * row))
    return op.chosen + token * op.chosen_stride + kv_head * op.chosen_head


@inline
def any_chosen(op, state, kv_head, chunk, rows):
    """Whether any of `rows` rows has chosen a position of a chunk."""
    found = False
    for i in range(rows):
        ids = _ids_of(op, state, kv_head, i)
        place = _first_from(ids, op.n_top, chunk * CHUNK)
        if place < op.n_top and types.intp(load_i32(ids + 4 * place)) < (chunk + 1) * CHUNK:
            found = True
    return found


@inline
def _keep_chosen(weights, begin, end, ids, n_top):
    """Scores of positions `begin` to ``end - 1`` that are none of the `n_top` at `ids` become the lowest."""
    place = _first_from(ids, n_top, begin)
    for position in range(begin, end):
        if place < n_top and types.intp(load_i32(ids + 4 * place)) == position:
            place += 1
        else:
            store_f32(weights + 4 * (position - begin), types.float32(LOWEST))


@inline
def _softmax(weights, begin, end, first, last, part):
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


def _scores(format: KVFormat, rows: int) -> Any:
    """The function that leaves the scores of one block: for 4 rows 16 positions at a time, for one row 32."""
    load, itemsize = format.load, format.itemsize

    @inline
    def one_row(keys, next, head_dim, query, q_bytes, weights):
        scores = zero_tile(2)
        for i in range(head_dim):
            prefetch_second(next + i * BLOCK_TOKENS * itemsize)
            key = keys + i * BLOCK_TOKENS * itemsize
            scores = scaled_add(scores, (load(key), load(key + 16 * itemsize)), query + 4 * i)
        store_tile(scores, weights, 64)

    @inline
    def all_rows(keys, next, head_dim, query, q_bytes, weights):
        for half in range(2):
            scores = zero_tile(ROWS)
            for i in range(head_dim):
                prefetch_second(next + (i * BLOCK_TOKENS + 16 * half) * itemsize)
                key = load(keys + (i * BLOCK_TOKENS + 16 * half) * itemsize)
                scores = outer_add(scores, key, query + 4 * i, q_bytes)
            store_tile(scores, weights + 64 * half, 4 * CHUNK)

    return one_row if rows == 1 else all_rows


def _values(format: KVFormat, rows: int) -> Any:
    """The function that adds the weighted values of a run of positions within one block."""
    load, itemsize = format.load, format.itemsize

    @inline
    def one_row(values, next, v_bytes, weights, count, sums, part_bytes):
        step = v_bytes // 4 * itemsize
        for column in range(0, v_bytes // 128 * 128, 128):
            total = load_tile(2, sums + column, 64)
            for i in range(count):
                place = values + i * step + column // 4 * itemsize
                prefetch_second(place + next)
                total = scaled_add(total, (load(place), load(place + 16 * itemsize)), weights + 4 * i)
            store_tile(total, sums + column, 64)
        if v_bytes % 128 != 0:
            column = v_bytes - 64
            total = load_tile(1, sums + column, 64)
            for i in range(count):
                place = values + i * step + column // 4 * itemsize
                total = scaled_add(total, (load(place),), weights + 4 * i)
            store_tile(total, sums + column, 64)

    @inline
    def all_rows(values, next, v_bytes, weights, count, sums, part_bytes):
        step = v_bytes // 4 * itemsize
        for column in range(0, v_bytes, 64):
            total = load_tile(ROWS, sums + column, part_bytes)
            for i in range(count):
                place = values + i * step + column // 4 * itemsize
                prefetch_second(place + next)
                total = outer_add(total, load(place), weights + 4 * i, 4 * CHUNK)
            store_tile(total, sums + column, part_bytes)

    return one_row if rows == 1 else all_rows


@inline
def block_at(op, step, sequence, kv_head, position):
    """Which block of all heads' blocks holds a position of one head."""
    return block_of(step, op.group, sequence, position // BLOCK_TOKENS) * op.n_head_kv + kv_head


def attend_chunk(format: KVFormat, rows: int) -> Any:
    """The function that gathers one chunk of positions into the parts of 1 or `ROWS` rows."""
    score, add_values, itemsize = _scores(format, rows), _values(format, rows), format.itemsize

    @inline
    def attend(op, step, state, parts, sequence, kv_head, chunk, first, last, q_bytes, v_bytes):
        part_bytes = VALUES + v_bytes
        k_bytes, row_bytes = BLOCK_TOKENS * op.head_dim_k * itemsize, v_bytes // 4 * itemsize
        begin = larger(chunk * CHUNK, first // BLOCK_TOKENS * BLOCK_TOKENS)
        end = smaller(last + 1, (chunk + 1) * CHUNK)
        keys = op.k_cache + block_at(op, step, sequence, kv_head, begin) * k_bytes
        values = op.v_cache + block_at(op, step, sequence, kv_head, begin) * BLOCK_TOKENS * row_bytes
        for start in range(begin, end, BLOCK_TOKENS):
            # Blocks lie apart, so the processor would not foresee the next one. The first cache is too small
            # for two of them.
            next = values
            if start + BLOCK_TOKENS < end:
                next = op.k_cache + block_at(op, step, sequence, kv_head, start + BLOCK_TOKENS) * k_bytes
            score(keys, next, op.head_dim_k, state + QUERIES, q_bytes, state + WEIGHTS + 4 * (start - begin))
            keys = next
        for i in range(rows):
            own_first, own_last = load_i32(state + FIRST + 4 * i), load_i32(state + LAST + 4 * i)
            weights, part = state + WEIGHTS + 4 * CHUNK * i, parts + i * part_bytes
            empty_part(part, v_bytes)
            if op.softcap != types.float32(0.0):
                _cap(weights, begin, end, op.softcap)
            if op.slopes != 0:
                own, slope = load_i32(state + OWN + 4 * i), load_f32(state + SLOPE + 4 * i)
                _lower_by_distance(weights, begin, end, own, slope)
            if op.chosen != 0:
                _keep_chosen(weights, begin, end, _ids_of(op, state, kv_head, i), op.n_top)
            _softmax(weights, begin, end, own_first, own_last, part)
        for start in range(begin, end, BLOCK_TOKENS):
            next = values
            if start + BLOCK_TOKENS < end:
                block = block_at(op, step, sequence, kv_head, start + BLOCK_TOKENS)
                next = op.v_cache + block * BLOCK_TOKENS * row_bytes
            count, weights = smaller(BLOCK_TOKENS, end - start), state + WEIGHTS + 4 * (start - begin)
            add_values(values, next - values, v_bytes, weights, count, parts + VALUES, part_bytes)
            values = next

    return attend
