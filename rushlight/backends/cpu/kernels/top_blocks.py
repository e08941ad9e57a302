"""Which blocks of positions each key-value head of a token attends to: those with the highest scores.

A piece of work is a token and a head. Its positions are scored 16 at a time, and blocks by their highest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.kernels.kv_cache import KV_FORMATS, KVFormat, block_of
from rushlight.backends.cpu.kernels.top_positions import LOWEST, write_highest
from rushlight.backends.cpu.kernels.work import inline, larger, smaller, take
from rushlight.backends.cpu.recording import MOST
from rushlight.backends.cpu.scratch import SCORES
from rushlight.backends.cpu.simd import (
    above,
    load_f32,
    load_f32x16,
    load_i32,
    outer_add,
    select,
    splat_f32,
    store_f32,
    store_f32x16,
    store_i32,
    store_tile,
    zero_tile,
)
from rushlight.backends.cpu.target import Target


def _scores(format: KVFormat) -> Any:
    """The function that scores the positions of a sequence, in whole blocks of the cache, for one head."""
    load, itemsize = format.load, format.itemsize

    @inline
    def score(op, step, query, sequence, n, scores):
        lowest = splat_f32(types.float32(LOWEST))
        for start in range(0, n, BLOCK_TOKENS):
            block = block_of(step, op.group, sequence, start // BLOCK_TOKENS)
            keys = op.k_cache + block * BLOCK_TOKENS * op.head_dim * itemsize
            for half in range(2):
                product, place = zero_tile(1), scores + 4 * (start + 16 * half)
                for i in range(op.head_dim):
                    key = load(keys + (i * BLOCK_TOKENS + 16 * half) * itemsize)
                    product = outer_add(product, key, query + 4 * i, 0)
                store_tile(product, place, 64)
                total = load_f32x16(place)
                store_f32x16(place, select(above(total, lowest), total, lowest))

    return score


@inline
def _score_blocks(scores, n, size, n_local):
    """Scores of n positions to those of their blocks, in place."""
    n_blocks = (n + size - 1) // size
    for block in range(n_blocks):
        best = types.float32(LOWEST)
        for position in range(block * size, smaller(n, (block + 1) * size)):
            best = larger(best, load_f32(scores + 4 * position))
        store_f32(scores + 4 * block, best)
    for block in range(larger(0, n_blocks - n_local), n_blocks):
        store_f32(scores + 4 * block, types.float32(float("inf")))


@inline
def _write_positions(ids, n_chosen, n_top, size):
    """The positions of the blocks at `ids`, in place, the last block first; then `MOST`."""
    for i in range(n_chosen * size, n_top * size):
        store_i32(ids + 4 * i, types.int32(MOST))
    for last in range(n_chosen):
        i = n_chosen - 1 - last
        first = types.intp(load_i32(ids + 4 * i)) * size
        for offset in range(size):
            store_i32(ids + 4 * (i * size + offset), types.int32(first + offset))


def _top_blocks(format: KVFormat) -> Callable[..., None]:
    score = _scores(format)

    def kernel(op, step, thread, n_threads):
        place = step.scratch + thread * step.scratch_stride
        scores = place + SCORES
        piece = thread
        while piece < step.n_tokens * op.n_head:
            token, head = piece // op.n_head, piece % op.n_head
            n = types.intp(load_i32(step.positions + 4 * token)) + 1
            ids = op.y + token * op.y_stride + 4 * head * op.n_top * op.size
            n_blocks = (n + op.size - 1) // op.size
            if n_blocks <= op.n_top:
                for block in range(n_blocks):
                    store_i32(ids + 4 * block, types.int32(block))
            else:
                query = op.q + token * op.q_stride + 4 * head * op.head_dim
                score(op, step, query, types.intp(load_i32(step.token_seq + 4 * token)), n, scores)
                _score_blocks(scores, n, op.size, op.n_local)
                write_highest(scores, n_blocks, op.n_top, ids, place)
            _write_positions(ids, smaller(n_blocks, op.n_top), op.n_top, op.size)
            piece = take(op, step.n_tokens * op.n_head, n_threads)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each dtype of the cache, by name; see `Ops.top_blocks`."""
    return {f"top_blocks_{name}": _top_blocks(format) for name, format in KV_FORMATS.items()}
