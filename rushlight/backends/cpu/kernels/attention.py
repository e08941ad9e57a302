"""Causal attention over the paged cache.

Rows are pairs of a token and a query head that share a key-value head; `ROWS` of them go through the cache
together, 16 positions at a time, with the online softmax of Milakov and Gimelshein (2018). Steps of 16 begin
at positions that depend only on the window, and a step that lies outside a row's positions leaves it as it
was, so a row's result does not depend on which rows go with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.kernels.kv_cache import KV_FORMATS, KVFormat, block_of
from rushlight.backends.cpu.kernels.work import inline, larger, smaller, take
from rushlight.backends.cpu.scratch import CORRECTION, FIRST, LARGEST, LAST, ROWS, SUM, VECTORS, WEIGHTS
from rushlight.backends.cpu.simd import (
    above,
    below,
    exp,
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
from rushlight.backends.cpu.target import Target

TOKENS_PER_PIECE = 4
LOWEST = -1e30
"""Stands for minus infinity, whose differences would be NaN."""


@inline
def _softmax_step(scores, base, state, row, softcap):
    """Take 16 scores of a row into its largest score and sum; leave their weights and the correction."""
    if softcap != types.float32(0.0):
        scores = splat_f32(softcap) * tanh(scores / splat_f32(softcap))
    positions = splat_i32(types.int32(base)) + lane_index()
    first, last = load_i32(state + FIRST + 4 * row), load_i32(state + LAST + 4 * row)
    from_first = above(positions, splat_i32(types.int32(first - 1)))
    to_last = below(positions, splat_i32(types.int32(last + 1)))
    lowest, zero = splat_f32(types.float32(LOWEST)), splat_f32(types.float32(0.0))
    visible = select(from_first, select(to_last, scores, lowest), lowest)
    before = load_f32(state + LARGEST + 4 * row)
    largest = maximum(splat_f32(before), splat_f32(reduce_max(visible)))
    weights = select(from_first, select(to_last, exp(visible - largest), zero), zero)
    correction = reduce_max(exp(splat_f32(before) - largest))
    store_f32x16(state + WEIGHTS + 64 * row, weights)
    store_f32(state + LARGEST + 4 * row, reduce_max(largest))
    store_f32(state + CORRECTION + 4 * row, correction)
    store_f32(state + SUM + 4 * row, load_f32(state + SUM + 4 * row) * correction + reduce_add(weights))


@inline
def _load_rows(op, step, state, start, row, n_rows, kv_head, q_stride, v_stride):
    """Set up the state of `ROWS` rows from `row` on: rows past `n_rows` see no position."""
    per_head = op.n_head // op.n_head_kv
    queries, sums = state + VECTORS, state + VECTORS + ROWS * q_stride
    for i in range(ROWS):
        store_f32(state + LARGEST + 4 * i, types.float32(LOWEST))
        store_f32(state + SUM + 4 * i, types.float32(0.0))
        for column in range(0, v_stride, 64):
            store_f32x16(sums + i * v_stride + column, splat_f32(types.float32(0.0)))
        # A row too many repeats the first row's query, so that it reads nothing foreign.
        r = row + i if row + i < n_rows else row
        token, head = start + r // per_head, kv_head * per_head + r % per_head
        source = op.q + token * op.q_stride + 4 * head * op.head_dim_k
        for column in range(0, op.head_dim_k, 16):
            count = smaller(16, op.head_dim_k - column)
            scaled = load_f32_partial(source + 4 * column, count) * splat_f32(op.scale)
            store_f32_partial(queries + i * q_stride + 4 * column, scaled, count)
        last = types.intp(load_i32(step.positions + 4 * token))
        first = larger(0, last - op.window + 1) if op.window > 0 else 0
        if row + i >= n_rows:
            last = -1
        store_i32(state + FIRST + 4 * i, types.int32(first))
        store_i32(state + LAST + 4 * i, types.int32(last))


@inline
def _store_rows(op, state, start, row, n_rows, kv_head, q_stride, v_stride):
    per_head = op.n_head // op.n_head_kv
    sums = state + VECTORS + ROWS * q_stride
    for i in range(smaller(ROWS, n_rows - row)):
        token, head = start + (row + i) // per_head, kv_head * per_head + (row + i) % per_head
        y = op.y + token * op.y_stride + 4 * head * op.head_dim_v
        total = splat_f32(load_f32(state + SUM + 4 * i))
        for column in range(0, op.head_dim_v, 16):
            value = load_f32x16(sums + i * v_stride + 4 * column) / total
            store_f32_partial(y + 4 * column, value, smaller(16, op.head_dim_v - column))


def _attend_rows(format: KVFormat) -> Any:
    load, itemsize = format.load, format.itemsize

    @inline
    def attend(op, step, state, sequence, kv_head, q_stride, v_stride):
        """Every position that any of the rows sees, 16 at a time."""
        first, last = types.intp(load_i32(state + FIRST)), types.intp(load_i32(state + LAST))
        for i in range(1, ROWS):
            last = larger(last, types.intp(load_i32(state + LAST + 4 * i)))
        queries, sums = state + VECTORS, state + VECTORS + ROWS * q_stride
        for base in range(first // 16 * 16, last + 1, 16):
            block = block_of(step, op.group, sequence, base // BLOCK_TOKENS)
            row, slot = (block * op.n_head_kv + kv_head) * BLOCK_TOKENS, base % BLOCK_TOKENS
            keys = op.k_cache + (row * op.head_dim_k + slot) * itemsize
            scores = zero_tile(ROWS)
            for i in range(op.head_dim_k):
                scores = outer_add(
                    scores, load(keys + i * BLOCK_TOKENS * itemsize), queries + 4 * i, q_stride
                )
            store_tile(scores, state + WEIGHTS, 64)
            for i in range(ROWS):
                _softmax_step(load_f32x16(state + WEIGHTS + 64 * i), base, state, i, op.softcap)
            count = smaller(16, last + 1 - base)
            for column in range(0, v_stride, 64):
                values = op.v_cache + (row + slot) * (v_stride // 4) * itemsize + column // 4 * itemsize
                total = load_scaled_tile(ROWS, sums + column, v_stride, state + CORRECTION)
                for i in range(count):
                    vector = load(values + i * (v_stride // 4) * itemsize)
                    total = outer_add(total, vector, state + WEIGHTS + 4 * i, 64)
                store_tile(total, sums + column, v_stride)

    return attend


def _attention(format: KVFormat) -> Callable[..., None]:
    attend = _attend_rows(format)

    def kernel(op, step, thread, n_threads):
        state = step.scratch + thread * step.scratch_stride
        q_stride, v_stride = (op.head_dim_k + 15) // 16 * 64, (op.head_dim_v + 15) // 16 * 64
        token_pieces = (step.n_tokens + TOKENS_PER_PIECE - 1) // TOKENS_PER_PIECE
        piece = take(op)
        while piece < token_pieces * op.n_head_kv:
            kv_head = piece % op.n_head_kv
            start = piece // op.n_head_kv * TOKENS_PER_PIECE
            end = smaller(step.n_tokens, start + TOKENS_PER_PIECE)
            while start < end:
                sequence = types.intp(load_i32(step.token_seq + 4 * start))
                stop = smaller(end, types.intp(load_i32(step.query_start + 4 * (sequence + 1))))
                n_rows = (stop - start) * (op.n_head // op.n_head_kv)
                for row in range(0, n_rows, ROWS):
                    _load_rows(op, step, state, start, row, n_rows, kv_head, q_stride, v_stride)
                    attend(op, step, state, sequence, kv_head, q_stride, v_stride)
                    _store_rows(op, state, start, row, n_rows, kv_head, q_stride, v_stride)
                start = stop
            piece = take(op)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each dtype of the cache, by name."""
    return {f"attention_{name}": _attention(format) for name, format in KV_FORMATS.items()}
