"""The rows of attention, which go through the cache in runs.

A row is a pair of a token and a query head. A run is some rows of each of some key-value heads; the rows of
a head are cut into grids and have places for whole ones, so that a grid may compute rows too many. The rows
take a chunk of positions in three passes: all scores, their softmax, the weighted values. The first and the
last pass read a block for every head before the next block, because its heads lie one behind the other: long
runs of memory come faster than many short ones.
"""

from __future__ import annotations

from typing import Any

from numba import types

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.kernels.attention_parts import empty_part
from rushlight.backends.cpu.kernels.attention_products import row_counts, scores, weighted_values
from rushlight.backends.cpu.kernels.attention_weights import (
    any_chosen,
    cap,
    ids_of,
    keep_chosen,
    lower_by_distance,
    softmax,
)
from rushlight.backends.cpu.kernels.kv_cache import KVFormat, block_of
from rushlight.backends.cpu.kernels.work import inline, larger, smaller
from rushlight.backends.cpu.scratch import (
    BEGIN,
    CHUNK,
    END,
    FIRST,
    HEAD,
    LAST,
    OWN,
    QUERIES,
    SLOPE,
    TOKEN,
    VALUES,
    WEIGHTS,
)
from rushlight.backends.cpu.simd import (
    load_f32,
    load_f32_partial,
    load_i32,
    prefetch_second,
    splat_f32,
    store_f32,
    store_f32_partial,
    store_i32,
)
from rushlight.backends.cpu.target import Target


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
def load_row(op, step, state, row, token, head, q_bytes):
    """Set up a row: its scaled query, and what it sees. The query of the next key-value head is next."""
    source, query = op.q + token * op.q_stride + 4 * head * op.head_dim_k, state + QUERIES + row * q_bytes
    for column in range(0, op.head_dim_k, 16):
        count = smaller(16, op.head_dim_k - column)
        prefetch_second(source + 4 * (op.n_head // op.n_head_kv * op.head_dim_k + column))
        scaled = load_f32_partial(source + 4 * column, count) * splat_f32(op.scale)
        store_f32_partial(query + 4 * column, scaled, count)
    own = types.intp(load_i32(step.positions + 4 * token))
    store_i32(state + FIRST + 4 * row, types.int32(first_position(op, own)))
    store_i32(state + LAST + 4 * row, types.int32(last_position(op, step, token, own)))
    store_i32(state + TOKEN + 4 * row, types.int32(token))
    store_i32(state + HEAD + 4 * row, types.int32(head))
    if op.slopes != 0:
        store_i32(state + OWN + 4 * row, types.int32(own))
        store_f32(state + SLOPE + 4 * row, load_f32(op.slopes + 4 * head))


@inline
def int_at(address):
    """An int32 as an integer of the width of addresses."""
    return types.intp(load_i32(address))


@inline
def block_at(op, step, sequence, kv_head, position):
    """Which block of all heads' blocks holds a position of one head."""
    return block_of(step, op.group, sequence, position // BLOCK_TOKENS) * op.n_head_kv + kv_head


def places(target: Target) -> Any:
    """The function that says how many places the rows of one key-value head take."""
    few, most = row_counts(target)[1], row_counts(target)[-1]

    @inline
    def padded(rows):
        rest = rows % most
        if rest > few:
            rest = most
        elif rest > 1:
            rest = few
        return rows // most * most + rest

    return padded


def _by_rows(functions: tuple[Any, ...], counts: tuple[int, ...]) -> Any:
    """The function that calls the first of several that takes so many rows."""
    one, few, many = functions[0], functions[1], functions[-1]
    most, more = counts[1], counts[-1] > counts[1]

    @inline
    def call(rows, block, next, size, first, stride, place, count):
        if rows == 1:
            one(block, next, size, first, stride, place, count)
        elif rows <= most or not more:
            few(block, next, size, first, stride, place, count)
        else:
            many(block, next, size, first, stride, place, count)

    return call


def _limits(target: Target) -> Any:
    """The function that leaves where the positions of each grid in a chunk begin and end, and says the
    first and the last of all.
    """
    most, padded = row_counts(target)[-1], places(target)

    @inline
    def limits(op, state, kv_head, n_heads, rows, chunk):
        n_places, lowest, highest = padded(rows), (chunk + 1) * CHUNK, chunk * CHUNK
        for i in range(n_heads):
            for r in range(0, rows, most):
                row, count = i * n_places + r, smaller(most, rows - r)
                begin = larger(chunk * CHUNK, int_at(state + FIRST + 4 * row) // BLOCK_TOKENS * BLOCK_TOKENS)
                end = smaller((chunk + 1) * CHUNK, int_at(state + LAST + 4 * (row + count - 1)) + 1)
                if op.chosen != 0 and not any_chosen(op, state, kv_head + i, row, count, chunk):
                    end = begin
                store_i32(state + BEGIN + 4 * row, types.int32(begin))
                store_i32(state + END + 4 * row, types.int32(end))
                if begin < end:
                    lowest, highest = smaller(lowest, begin), larger(highest, end)
        return lowest, highest

    return limits


def _score_block(format: KVFormat, target: Target) -> Any:
    """The function that leaves the scores of a block for all rows; `keys` is the first head's block, `next`
    that of the block behind it.
    """
    counts, itemsize = row_counts(target), format.itemsize
    score = _by_rows(tuple(scores(format, rows, target) for rows in counts), counts)
    most, padded = counts[-1], places(target)

    @inline
    def score_block(op, state, start, chunk, n_heads, rows, q_bytes, keys, next):
        n_places, k_block = padded(rows), BLOCK_TOKENS * op.head_dim_k * itemsize
        scores = state + WEIGHTS + 4 * (start - chunk * CHUNK)
        for i in range(n_heads):
            ahead = k_block if i < n_heads - 1 else next - keys
            for r in range(0, rows, most):
                row = i * n_places + r
                if int_at(state + BEGIN + 4 * row) <= start < int_at(state + END + 4 * row):
                    query, place = state + QUERIES + row * q_bytes, scores + 4 * CHUNK * row
                    score(smaller(most, rows - r), keys, ahead, op.head_dim_k, query, q_bytes, place, 0)
                ahead = 0
            keys += k_block

    return score_block


def _add_block(format: KVFormat, target: Target) -> Any:
    """The function that adds the weighted values of a block for all rows, as `_score_block` does."""
    counts, itemsize = row_counts(target), format.itemsize
    add_values = _by_rows(tuple(weighted_values(format, rows, target) for rows in counts), counts)
    most, padded = counts[-1], places(target)

    @inline
    def add_block(op, state, parts, start, chunk, n_heads, rows, v_bytes, values, next):
        n_places, v_block = padded(rows), BLOCK_TOKENS * v_bytes // 4 * itemsize
        part_bytes, weights = VALUES + v_bytes, state + WEIGHTS + 4 * (start - chunk * CHUNK)
        for i in range(n_heads):
            ahead = v_block if i < n_heads - 1 else next - values
            for r in range(0, rows, most):
                row = i * n_places + r
                end = int_at(state + END + 4 * row)
                if int_at(state + BEGIN + 4 * row) <= start < end:
                    sums, place = parts + row * part_bytes + VALUES, weights + 4 * CHUNK * row
                    count = smaller(BLOCK_TOKENS, end - start)
                    add_values(
                        smaller(most, rows - r), values, ahead, v_bytes, sums, part_bytes, place, count
                    )
                ahead = 0
            values += v_block

    return add_block


@inline
def _weigh(op, state, kv_head, row, chunk, begin, end, part):
    """A row's scores to weights."""
    weights = state + WEIGHTS + 4 * CHUNK * row + 4 * (begin - chunk * CHUNK)
    if op.softcap != types.float32(0.0):
        cap(weights, begin, end, op.softcap)
    if op.slopes != 0:
        own, slope = load_i32(state + OWN + 4 * row), load_f32(state + SLOPE + 4 * row)
        lower_by_distance(weights, begin, end, own, slope)
    if op.chosen != 0:
        keep_chosen(weights, begin, end, ids_of(op, state, kv_head, row), op.n_top)
    softmax(weights, begin, end, load_i32(state + FIRST + 4 * row), load_i32(state + LAST + 4 * row), part)


def attend_chunk(format: KVFormat, target: Target) -> Any:
    """The function that gathers one chunk of positions into the parts of a run's rows."""
    limits, score_block, add_block = _limits(target), _score_block(format, target), _add_block(format, target)
    most, padded, itemsize = row_counts(target)[-1], places(target), format.itemsize

    @inline
    def attend(op, step, state, parts, sequence, kv_head, n_heads, rows, chunk, q_bytes, v_bytes):
        n_places, part_bytes = padded(rows), VALUES + v_bytes
        k_block, v_block = BLOCK_TOKENS * op.head_dim_k * itemsize, BLOCK_TOKENS * v_bytes // 4 * itemsize
        lowest, highest = limits(op, state, kv_head, n_heads, rows, chunk)
        for start in range(lowest, highest, BLOCK_TOKENS):
            behind = start + BLOCK_TOKENS if start + BLOCK_TOKENS < highest else start
            keys = op.k_cache + block_at(op, step, sequence, kv_head, start) * k_block
            next = op.k_cache + block_at(op, step, sequence, kv_head, behind) * k_block
            score_block(op, state, start, chunk, n_heads, rows, q_bytes, keys, next)
        for i in range(n_heads):
            for r in range(rows):
                row, grid = i * n_places + r, i * n_places + r // most * most
                begin, end = int_at(state + BEGIN + 4 * grid), int_at(state + END + 4 * grid)
                part = parts + row * part_bytes
                empty_part(part, v_bytes)
                _weigh(op, state, kv_head + i, row, chunk, begin, end, part)
        for start in range(lowest, highest, BLOCK_TOKENS):
            behind = start + BLOCK_TOKENS if start + BLOCK_TOKENS < highest else start
            values = op.v_cache + block_at(op, step, sequence, kv_head, start) * v_block
            next = op.v_cache + block_at(op, step, sequence, kv_head, behind) * v_block
            add_block(op, state, parts, start, chunk, n_heads, rows, v_bytes, values, next)

    return attend
