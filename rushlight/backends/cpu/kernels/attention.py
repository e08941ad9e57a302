"""Attention over the paged cache.

A row gathers its positions in chunks of `CHUNK`, and folds the chunks' parts in ascending order. A step of
many tokens hands out runs of tokens, whose chunks one thread gathers and folds; a step of few tokens, deep in
their sequences, hands out single chunks, which `attention_merge` folds afterwards. The operations and their
order are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from rushlight.backends.cpu.kernels.attention_rows import (
    any_chosen,
    attend_chunk,
    empty_part,
    finish_part,
    first_position,
    fold_part,
    fold_sink,
    last_position,
    load_rows,
)
from rushlight.backends.cpu.kernels.kv_cache import KV_FORMATS, KVFormat
from rushlight.backends.cpu.kernels.work import inline, larger, smaller, take
from rushlight.backends.cpu.scratch import CHUNK, FIRST, LAST, QUERIES, ROWS, SPLIT_TOKENS, VALUES
from rushlight.backends.cpu.simd import load_f32x16, load_i32, store_f32x16
from rushlight.backends.cpu.target import Target

TOKENS_PER_PIECE = 4


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


def _rows(format: KVFormat, rows: int) -> Any:
    """The function that takes 1 or `ROWS` rows through the chunks that they see."""
    attend = attend_chunk(format, rows)

    @inline
    def attend_rows(op, step, state, sequence, start, row, n_rows, kv_head, chunk, n_chunks):
        """All chunks, or with ``chunk >= 0`` that one into the workspace."""
        q_bytes, v_bytes = (op.head_dim_k + 15) // 16 * 64, (op.head_dim_v + 15) // 16 * 64
        part_bytes, per_head = VALUES + v_bytes, op.n_head // op.n_head_kv
        parts = state + QUERIES + ROWS * q_bytes
        totals = parts + ROWS * part_bytes
        load_rows(op, step, state, start, row, n_rows, kv_head, q_bytes, rows)
        first, last = types.intp(load_i32(state + FIRST)), types.intp(load_i32(state + LAST))
        for i in range(rows):
            last = larger(last, types.intp(load_i32(state + LAST + 4 * i)))
            empty_part(totals + i * part_bytes, v_bytes)
        begin, end = first // CHUNK, last // CHUNK + 1
        if chunk >= 0:
            begin, end = larger(begin, chunk), smaller(end, chunk + 1)
        for current in range(begin, end):
            if op.chosen == 0 or any_chosen(op, state, kv_head, current, rows):
                attend(op, step, state, parts, sequence, kv_head, current, first, last, q_bytes, v_bytes)
            else:
                for i in range(rows):
                    empty_part(parts + i * part_bytes, v_bytes)
            for i in range(smaller(rows, n_rows - row)):
                if chunk >= 0:
                    token, head = start + (row + i) // per_head, kv_head * per_head + (row + i) % per_head
                    place = _workspace(op, step, token, head, current, n_chunks, part_bytes)
                    _copy_part(parts + i * part_bytes, place, part_bytes)
                else:
                    fold_part(totals + i * part_bytes, parts + i * part_bytes, v_bytes)
        if chunk < 0:
            for i in range(smaller(rows, n_rows - row)):
                token, head = start + (row + i) // per_head, kv_head * per_head + (row + i) % per_head
                y = op.y + token * op.y_stride + 4 * head * op.head_dim_v
                fold_sink(op, totals + i * part_bytes, head, v_bytes)
                finish_part(totals + i * part_bytes, y, op.head_dim_v)

    return attend_rows


def _attention(format: KVFormat) -> Callable[..., None]:
    one_row, all_rows = _rows(format, 1), _rows(format, ROWS)

    def kernel(op, step, thread, n_threads):
        state = step.scratch + thread * step.scratch_stride
        tokens, n_chunks = TOKENS_PER_PIECE, 1
        if step.n_tokens <= SPLIT_TOKENS:
            tokens, n_chunks = 1, chunk_count(step)
        pieces = (step.n_tokens + tokens - 1) // tokens * op.n_head_kv * n_chunks
        piece = thread
        while piece < pieces:
            chunk = piece % n_chunks if n_chunks > 1 else -1
            kv_head = piece // n_chunks % op.n_head_kv
            start = piece // (n_chunks * op.n_head_kv) * tokens
            end = smaller(step.n_tokens, start + tokens)
            while start < end:
                sequence = types.intp(load_i32(step.token_seq + 4 * start))
                stop = smaller(end, types.intp(load_i32(step.query_start + 4 * (sequence + 1))))
                n_rows, row = (stop - start) * (op.n_head // op.n_head_kv), 0
                while row < n_rows:
                    if row == n_rows - 1:
                        one_row(op, step, state, sequence, start, row, n_rows, kv_head, chunk, n_chunks)
                    else:
                        all_rows(op, step, state, sequence, start, row, n_rows, kv_head, chunk, n_chunks)
                    row += ROWS
                start = stop
            piece = take(op, pieces, n_threads)

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
    by_dtype = {f"attention_{name}": _attention(format) for name, format in KV_FORMATS.items()}
    return {**by_dtype, "attention_merge": attention_merge}
