"""The rows of attention: queries that share a key-value head and go through the cache together.

A row is a pair of a token and a query head. It gathers its positions 16 at a time with the online softmax of
Milakov and Gimelshein (2018). Steps of 16 begin at multiples of 16, and a step without a position that a row
may see leaves the row as it was, so its result does not depend on which rows go with it.
"""

from __future__ import annotations

from typing import Any

from numba import types

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.kernels.kv_cache import KVFormat, block_of
from rushlight.backends.cpu.kernels.work import inline, larger, smaller
from rushlight.backends.cpu.scratch import (
    CHUNK,
    CORRECTION,
    FIRST,
    LARGEST,
    LAST,
    QUERIES,
    ROWS,
    SUM,
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
    load_scaled_tile,
    maximum,
    outer_add,
    reduce_add,
    reduce_max,
    select,
    splat_f32,
    splat_i32,
    store_f32,
    store_f32_partial,
    store_f32x16,
    store_i32,
    store_tile,
    tanh,
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
def finish_part(total, y, head_dim_v):
    """The weighted mean of the values."""
    weight = splat_f32(load_f32(total + SUM))
    for column in range(0, head_dim_v, 16):
        value = load_f32x16(total + VALUES + 4 * column) / weight
        store_f32_partial(y + 4 * column, value, smaller(16, head_dim_v - column))


@inline
def first_position(op, position):
    """The first position that a token sees."""
    return larger(0, position - op.window + 1) if op.window > 0 else 0


@inline
def load_rows(op, step, state, start, row, n_rows, kv_head, q_bytes):
    """Set up `ROWS` rows from `row` on: scaled queries and positions; rows past `n_rows` see none."""
    per_head = op.n_head // op.n_head_kv
    for i in range(ROWS):
        # A row too many repeats the first row's query, so that it reads nothing foreign.
        r = row + i if row + i < n_rows else row
        token, head = start + r // per_head, kv_head * per_head + r % per_head
        source, query = op.q + token * op.q_stride + 4 * head * op.head_dim_k, state + QUERIES + i * q_bytes
        for column in range(0, op.head_dim_k, 16):
            count = smaller(16, op.head_dim_k - column)
            scaled = load_f32_partial(source + 4 * column, count) * splat_f32(op.scale)
            store_f32_partial(query + 4 * column, scaled, count)
        last = types.intp(load_i32(step.positions + 4 * token))
        store_i32(state + FIRST + 4 * i, types.int32(first_position(op, last)))
        store_i32(state + LAST + 4 * i, types.int32(last if row + i < n_rows else -1))


@inline
def _softmax_step(scores, base, state, part, row, softcap):
    """Take 16 scores of a row into its part; leave their weights and the correction of what came before."""
    if softcap != types.float32(0.0):
        scores = splat_f32(softcap) * tanh(scores / splat_f32(softcap))
    positions = splat_i32(types.int32(base)) + lane_index()
    first, last = load_i32(state + FIRST + 4 * row), load_i32(state + LAST + 4 * row)
    from_first = above(positions, splat_i32(types.int32(first - 1)))
    to_last = below(positions, splat_i32(types.int32(last + 1)))
    lowest, zero = splat_f32(types.float32(LOWEST)), splat_f32(types.float32(0.0))
    visible = select(from_first, select(to_last, scores, lowest), lowest)
    before = load_f32(part + LARGEST)
    largest = maximum(splat_f32(before), splat_f32(reduce_max(visible)))
    weights = select(from_first, select(to_last, exp(visible - largest), zero), zero)
    correction = reduce_max(exp(splat_f32(before) - largest))
    store_f32x16(state + WEIGHTS + 64 * row, weights)
    store_f32(part + LARGEST, reduce_max(largest))
    store_f32(state + CORRECTION + 4 * row, correction)
    store_f32(part + SUM, load_f32(part + SUM) * correction + reduce_add(weights))


def attend_chunk(format: KVFormat) -> Any:
    """The function that gathers one chunk of positions into the parts of all rows."""
    load, itemsize = format.load, format.itemsize

    @inline
    def attend(op, step, state, parts, sequence, kv_head, chunk, first, last, q_bytes, v_bytes):
        part_bytes = VALUES + v_bytes
        for i in range(ROWS):
            empty_part(parts + i * part_bytes, v_bytes)
        begin = larger(chunk * CHUNK, first // 16 * 16)
        for base in range(begin, smaller(last + 1, (chunk + 1) * CHUNK), 16):
            block = block_of(step, op.group, sequence, base // BLOCK_TOKENS)
            row, slot = (block * op.n_head_kv + kv_head) * BLOCK_TOKENS, base % BLOCK_TOKENS
            keys = op.k_cache + (row * op.head_dim_k + slot) * itemsize
            scores = zero_tile(ROWS)
            for i in range(op.head_dim_k):
                vector = load(keys + i * BLOCK_TOKENS * itemsize)
                scores = outer_add(scores, vector, state + QUERIES + 4 * i, q_bytes)
            store_tile(scores, state + WEIGHTS, 64)
            for i in range(ROWS):
                weights = load_f32x16(state + WEIGHTS + 64 * i)
                _softmax_step(weights, base, state, parts + i * part_bytes, i, op.softcap)
            count = smaller(16, last + 1 - base)
            values = op.v_cache + (row + slot) * (v_bytes // 4) * itemsize
            for column in range(0, v_bytes, 64):
                sums = parts + VALUES + column
                total = load_scaled_tile(ROWS, sums, part_bytes, state + CORRECTION)
                for i in range(count):
                    vector = load(values + (i * (v_bytes // 4) + column // 4) * itemsize)
                    total = outer_add(total, vector, state + WEIGHTS + 4 * i, 64)
                store_tile(total, sums, part_bytes)

    return attend
