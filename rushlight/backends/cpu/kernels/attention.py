"""Attention over the paged cache.

A row gathers its positions in chunks of `CHUNK`, and folds the chunks' parts in ascending order. A step of
many tokens hands out runs of tokens of one key-value head, whose chunks one thread gathers and folds; where
every sequence has one token, it hands out a token's key-value heads. A step of few tokens, deep in their
sequences, hands out the heads of single chunks, which `attention_merge` folds afterwards. The operations and
their order are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from rushlight.backends.cpu.kernels.attention_parts import empty_part, finish_part, fold_part, fold_sink
from rushlight.backends.cpu.kernels.attention_rows import (
    attend_chunk,
    first_position,
    int_at,
    last_position,
    load_row,
    places,
)
from rushlight.backends.cpu.kernels.kv_cache import KV_FORMATS, KVFormat
from rushlight.backends.cpu.kernels.work import (
    inline,
    larger,
    run_of,
    sequence_count,
    smaller,
    take,
    take_run,
)
from rushlight.backends.cpu.scratch import (
    CHUNK,
    FIRST,
    HEAD,
    LAST,
    QUERIES,
    RUN,
    SPLIT_TOKENS,
    TOKEN,
    VALUES,
)
from rushlight.backends.cpu.simd import load_f32x16, load_i32, store_f32x16
from rushlight.backends.cpu.target import Target


@inline
def chunk_count(step):
    """Chunks up to the highest position of a step."""
    highest = 0
    for token in range(step.n_tokens):
        highest = larger(highest, types.intp(load_i32(step.positions + 4 * token)))
    return highest // CHUNK + 1


@inline
def _workspace(op, step, token, head, chunk, n_chunks, part_bytes):
    """Where the part of a token, head and chunk lies."""
    return step.workspace + ((token * op.n_head + head) * n_chunks + chunk) * part_bytes


@inline
def _copy_part(source, target, part_bytes):
    for i in range(0, part_bytes, 64):
        store_f32x16(target + i, load_f32x16(source + i))


def _runs(format: KVFormat, target: Target) -> Any:
    """The function that takes a run of rows through the chunks that they see."""
    attend, padded = attend_chunk(format, target), places(target)

    @inline
    def attend_run(op, step, state, sequence, start, first, rows, kv_head, n_heads, chunk, n_chunks):
        """All chunks, or with ``chunk >= 0`` that one into the workspace."""
        q_bytes, v_bytes = (op.head_dim_k + 15) // 16 * 64, (op.head_dim_v + 15) // 16 * 64
        part_bytes, per_head, n_places = VALUES + v_bytes, op.n_head // op.n_head_kv, padded(rows)
        parts = state + QUERIES + RUN * q_bytes
        totals = parts + RUN * part_bytes
        for i in range(n_heads):
            for r in range(rows):
                row, token = i * n_places + r, start + (first + r) // per_head
                head = (kv_head + i) * per_head + (first + r) % per_head
                load_row(op, step, state, row, token, head, q_bytes)
                empty_part(totals + row * part_bytes, v_bytes)
        begin = int_at(state + FIRST) // CHUNK
        end = int_at(state + LAST + 4 * (rows - 1)) // CHUNK + 1
        if chunk >= 0:
            begin, end = larger(begin, chunk), smaller(end, chunk + 1)
        for current in range(begin, end):
            attend(op, step, state, parts, sequence, kv_head, n_heads, rows, current, q_bytes, v_bytes)
            for i in range(n_heads):
                for row in range(i * n_places, i * n_places + rows):
                    part, own_first = parts + row * part_bytes, int_at(state + FIRST + 4 * row)
                    own_last = int_at(state + LAST + 4 * row)
                    if current >= own_first // CHUNK and current <= own_last // CHUNK:
                        if chunk >= 0:
                            token, head = int_at(state + TOKEN + 4 * row), int_at(state + HEAD + 4 * row)
                            place = _workspace(op, step, token, head, current, n_chunks, part_bytes)
                            _copy_part(part, place, part_bytes)
                        else:
                            fold_part(totals + row * part_bytes, part, v_bytes)
        if chunk < 0:
            for i in range(n_heads):
                for row in range(i * n_places, i * n_places + rows):
                    token, head = int_at(state + TOKEN + 4 * row), int_at(state + HEAD + 4 * row)
                    y = op.y + token * op.y_stride + 4 * head * op.head_dim_v
                    fold_sink(op, totals + row * part_bytes, head, v_bytes)
                    finish_part(totals + row * part_bytes, y, op.head_dim_v)

    return attend_run


def _attention(format: KVFormat, target: Target) -> Callable[..., None]:
    attend_run, padded = _runs(format, target), places(target)

    @inline
    def tokens_in_run(per_head):
        """How many tokens' rows of a key-value head to take at once: they fill their grids if half of a run
        does.
        """
        most = larger(1, RUN // per_head)
        tokens = most
        while 2 * tokens > most and padded(tokens * per_head) != tokens * per_head:
            tokens -= 1
        return tokens if 2 * tokens > most else most

    @inline
    def attend_tokens(op, step, state, start, end, kv_head, n_heads, chunk, n_chunks):
        """Some tokens and key-value heads. More rows than a run holds go one run after the other."""
        while start < end:
            sequence = int_at(step.token_seq + 4 * start)
            stop = smaller(end, int_at(step.query_start + 4 * (sequence + 1)))
            n_rows = (stop - start) * (op.n_head // op.n_head_kv)
            for first in range(0, n_rows, RUN):
                rows = smaller(RUN, n_rows - first)
                attend_run(op, step, state, sequence, start, first, rows, kv_head, n_heads, chunk, n_chunks)
            start = stop

    def kernel(op, step, thread, n_threads):
        state = step.scratch + thread * step.scratch_stride
        per_head, n_head_kv = op.n_head // op.n_head_kv, op.n_head_kv
        tokens, heads, n_chunks = tokens_in_run(per_head), 1, 1
        if step.n_tokens <= SPLIT_TOKENS or step.n_tokens == sequence_count(step):
            tokens, heads = 1, larger(1, RUN // padded(per_head))
        if step.n_tokens <= SPLIT_TOKENS:
            n_chunks = chunk_count(step)
        n_items = (step.n_tokens + tokens - 1) // tokens * n_chunks * n_head_kv
        item, end = run_of(thread, n_items, n_threads, 1)
        while item < n_items:
            while item < end:
                kv_head, chunk = item % n_head_kv, item // n_head_kv % n_chunks if n_chunks > 1 else -1
                start = item // (n_chunks * n_head_kv) * tokens
                n_heads = smaller(smaller(heads, n_head_kv - kv_head), end - item)
                stop = smaller(step.n_tokens, start + tokens)
                attend_tokens(op, step, state, start, stop, kv_head, n_heads, chunk, n_chunks)
                item += n_heads
            item, end = take_run(op, n_items, n_threads, 1)

    return kernel


def attention_merge(op, step, thread, n_threads):
    """Fold the parts of a step with several chunks: one piece is a token and a head."""
    total = step.scratch + thread * step.scratch_stride + QUERIES
    n_chunks, v_bytes = 1, (op.head_dim_v + 15) // 16 * 64
    if step.n_tokens <= SPLIT_TOKENS:
        n_chunks = chunk_count(step)
    if n_chunks == 1:
        return
    piece = thread
    while piece < step.n_tokens * op.n_head:
        token, head = piece // op.n_head, piece % op.n_head
        position = types.intp(load_i32(step.positions + 4 * token))
        empty_part(total, v_bytes)
        last = last_position(op, step, token, position)
        for chunk in range(first_position(op, position) // CHUNK, last // CHUNK + 1):
            fold_part(total, _workspace(op, step, token, head, chunk, n_chunks, VALUES + v_bytes), v_bytes)
        fold_sink(op, total, head, v_bytes)
        finish_part(total, op.y + token * op.y_stride + 4 * head * op.head_dim_v, op.head_dim_v)
        piece = take(op, step.n_tokens * op.n_head, n_threads)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each dtype of the cache, and the merge, by name."""
    by_dtype = {f"attention_{name}": _attention(format, target) for name, format in KV_FORMATS.items()}
    return {**by_dtype, "attention_merge": attention_merge}
