"""States, a matrix for each head of a sequence, and the kernels that take its tokens in order.

A state lies in memory as runs of 16 columns, one behind the other, each row by row: rows of the whole width
would fall on few lines of the nearest cache. A piece of work is such a run of one head in one sequence, since
a column's recurrence reads no other. It takes the tokens in order, and sums over the rows of the state in an
order that only their number sets, so the results are the same however the sequence is cut into steps.
"""

from __future__ import annotations

from numba import types

from rushlight.backends.cpu.kernels.kv_cache import block_of
from rushlight.backends.cpu.kernels.work import inline, sequence_count, smaller, take
from rushlight.backends.cpu.simd import fma, load_f32, load_f32x16, load_i32, splat_f32, store_f32x16

ROW_BYTES = 64
"""A row of 16 columns."""


@inline
def read_state(x, state, n):
    """``x @ state`` for 16 columns: four sums, of every fourth row each, hide each other's latency."""
    zero = splat_f32(0.0)
    a, b, c, d = zero, zero, zero, zero
    whole = n - n % 4
    for i in range(0, whole, 4):
        row = state + ROW_BYTES * i
        a = fma(load_f32x16(row), splat_f32(load_f32(x + 4 * i)), a)
        b = fma(load_f32x16(row + ROW_BYTES), splat_f32(load_f32(x + 4 * i + 4)), b)
        c = fma(load_f32x16(row + 2 * ROW_BYTES), splat_f32(load_f32(x + 4 * i + 8)), c)
        d = fma(load_f32x16(row + 3 * ROW_BYTES), splat_f32(load_f32(x + 4 * i + 12)), d)
    for i in range(whole, n):
        a = fma(load_f32x16(state + ROW_BYTES * i), splat_f32(load_f32(x + 4 * i)), a)
    return (a + b) + (c + d)


@inline
def _state(op, step, sequence, head, column):
    """Where a run of a sequence's state lies, and its first token and the one behind its last."""
    start = types.intp(load_i32(step.query_start + 4 * sequence))
    stop = types.intp(load_i32(step.query_start + 4 * sequence + 4))
    n_runs = (op.head_dim_v + 15) // 16
    run = (block_of(step, op.group, sequence, 0) * op.n_head + head) * n_runs + column // 16
    state = op.state + ROW_BYTES * run * op.head_dim_k
    if load_i32(step.positions + 4 * start) == 0:
        for i in range(op.head_dim_k):
            store_f32x16(state + ROW_BYTES * i, splat_f32(0.0))
    return state, start, stop


def in_order(token_step):
    """The kernel that takes each token of a sequence by `token_step`."""

    def kernel(op, step, thread, n_threads):
        n_parts = (op.head_dim_v + 15) // 16
        n_pieces = op.n_head * n_parts
        n_all = sequence_count(step) * n_pieces
        piece = thread
        while piece < n_all:
            sequence, part = piece // n_pieces, piece % n_pieces
            head, column = part // n_parts, part % n_parts * 16
            state, start, stop = _state(op, step, sequence, head, column)
            count = smaller(16, op.head_dim_v - column)
            for token in range(start, stop):
                token_step(op, token, head, column, state, count)
            piece = take(op, n_all, n_threads)

    return kernel
