"""Which positions a token attends to: a score for each, and the highest of them.

A score is computed by one thread, its heads in order. A step of many tokens hands out tokens, whose positions
one thread scores and chooses; a step of few tokens hands out chunks of positions first, whose scores wait in
the workspace. Choosing compares, and rounds nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.kernels.attention import chunk_count
from rushlight.backends.cpu.kernels.kv_cache import KV_FORMATS, KVFormat, block_of
from rushlight.backends.cpu.kernels.work import inline, larger, smaller, take
from rushlight.backends.cpu.recording import MOST
from rushlight.backends.cpu.scratch import CHUNK, SCORED_HEADS, SCORES, SPLIT_TOKENS
from rushlight.backends.cpu.simd import (
    above,
    fma,
    load_f32,
    load_f32x16,
    load_i32,
    outer_add,
    reduce_add,
    select,
    splat_f32,
    store_f32,
    store_f32x16,
    store_i32,
    store_tile,
    zero_tile,
)
from rushlight.backends.cpu.target import Target

LOWEST = -3.4028234663852886e38
"""The lowest finite number, for scores that are none."""

_LOWEST_ORDINAL, _POSITIVE = 0x00800000, 1 << 31
"""Float32 numbers in their order, from 0 on: where the lowest finite one stands, and 0."""


def _score_block(format: KVFormat) -> Any:
    """The function that scores the positions of one block."""
    load, itemsize = format.load, format.itemsize

    @inline
    def weigh(total, product, weight):
        product = select(
            above(product, splat_f32(types.float32(0.0))), product, splat_f32(types.float32(0.0))
        )
        return fma(product, splat_f32(load_f32(weight)), total)

    @inline
    def score_block(op, q, weights, keys, products, scores):
        whole = op.n_head - op.n_head % SCORED_HEADS
        for half in range(2):
            total, first = splat_f32(types.float32(0.0)), keys + 16 * half * itemsize
            for head in range(0, whole, SCORED_HEADS):
                tile, query = zero_tile(SCORED_HEADS), q + 4 * head * op.head_dim
                for i in range(op.head_dim):
                    key = load(first + i * BLOCK_TOKENS * itemsize)
                    tile = outer_add(tile, key, query + 4 * i, 4 * op.head_dim)
                store_tile(tile, products, 64)
                for i in range(SCORED_HEADS):
                    total = weigh(total, load_f32x16(products + 64 * i), weights + 4 * (head + i))
            for head in range(whole, op.n_head):
                one, query = zero_tile(1), q + 4 * head * op.head_dim
                for i in range(op.head_dim):
                    one = outer_add(one, load(first + i * BLOCK_TOKENS * itemsize), query + 4 * i, 0)
                store_tile(one, products, 64)
                total = weigh(total, load_f32x16(products), weights + 4 * head)
            lowest = splat_f32(types.float32(LOWEST))
            store_f32x16(scores + 64 * half, select(above(total, lowest), total, lowest))

    return score_block


def _scores(format: KVFormat) -> Any:
    """The function that scores a run of a token's positions, in whole blocks."""
    score_block, itemsize = _score_block(format), format.itemsize

    @inline
    def score_run(op, step, token, begin, end, products, scores):
        q, weights = op.q + token * op.q_stride, op.z + token * op.z_stride
        sequence = types.intp(load_i32(step.token_seq + 4 * token))
        for start in range(begin, end, BLOCK_TOKENS):
            block = block_of(step, op.group, sequence, start // BLOCK_TOKENS)
            keys = op.k_cache + block * BLOCK_TOKENS * op.head_dim * itemsize
            score_block(op, q, weights, keys, products, scores + 4 * start)

    return score_run


@inline
def _number(ordinal, place):
    """The float32 number that stands at an ordinal, by way of memory at `place`."""
    bits = ordinal - _POSITIVE if ordinal >= _POSITIVE else -1 - ordinal
    store_i32(place, types.int32(bits))
    return load_f32(place)


@inline
def _count_above(scores, n, number):
    """How many of n scores are larger. n is a multiple of 16 and few enough for float32 to count exactly."""
    total, limit = splat_f32(types.float32(0.0)), splat_f32(number)
    one, zero = splat_f32(types.float32(1.0)), splat_f32(types.float32(0.0))
    for i in range(0, n, 16):
        total = total + select(above(load_f32x16(scores + 4 * i), limit), one, zero)
    return types.intp(reduce_add(total))


@inline
def write_highest(scores, n, n_top, ids, place):
    """The places of the `n_top` highest of n scores, ascending; of equal ones the first."""
    padded = (n + 15) // 16 * 16
    for i in range(n, padded):
        store_f32(scores + 4 * i, types.float32(-float("inf")))
    # The highest number that at least n_top scores exceed, bit by bit; the next one is the lowest chosen.
    below = 0
    for bit in range(32):
        ordinal = below + (1 << (31 - bit))
        if _count_above(scores, padded, _number(ordinal, place)) >= n_top:
            below = ordinal
    limit = _number(larger(below + 1, _LOWEST_ORDINAL), place)
    equal, count = n_top - _count_above(scores, padded, limit), 0
    for i in range(n):
        score = load_f32(scores + 4 * i)
        if score > limit or (score == limit and equal > 0):
            if score == limit:
                equal -= 1
            store_i32(ids + 4 * count, types.int32(i))
            count += 1


def _score_positions(format: KVFormat) -> Callable[..., None]:
    score_run = _scores(format)

    def kernel(op, step, thread, n_threads):
        if step.n_tokens > SPLIT_TOKENS:
            return
        products, n_chunks = step.scratch + thread * step.scratch_stride, chunk_count(step)
        piece = thread
        while piece < step.n_tokens * n_chunks:
            token, chunk = piece // n_chunks, piece % n_chunks
            n = types.intp(load_i32(step.positions + 4 * token)) + 1
            if n > op.n_top:
                scores, end = step.workspace + token * n_chunks * 4 * CHUNK, smaller(n, (chunk + 1) * CHUNK)
                score_run(op, step, token, chunk * CHUNK, end, products, scores)
            piece = take(op, step.n_tokens * n_chunks, n_threads)

    return kernel


def _top_positions(format: KVFormat) -> Callable[..., None]:
    score_run = _scores(format)

    def kernel(op, step, thread, n_threads):
        products, n_chunks = step.scratch + thread * step.scratch_stride, chunk_count(step)
        token = thread
        while token < step.n_tokens:
            n, ids = types.intp(load_i32(step.positions + 4 * token)) + 1, op.y + token * op.y_stride
            if n <= op.n_top:
                for i in range(op.n_top):
                    store_i32(ids + 4 * i, types.int32(i if i < n else MOST))
            else:
                scores = products + SCORES
                if step.n_tokens <= SPLIT_TOKENS:
                    scores = step.workspace + token * n_chunks * 4 * CHUNK
                else:
                    score_run(op, step, token, 0, n, products, scores)
                write_highest(scores, n, op.n_top, ids, products)
            token = take(op, step.n_tokens, n_threads)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """Both kernels for each dtype of the cache, by name; see `Ops.top_positions`."""
    scoring = {f"score_positions_{name}": _score_positions(format) for name, format in KV_FORMATS.items()}
    return {**scoring, **{f"top_positions_{name}": _top_positions(f) for name, f in KV_FORMATS.items()}}
