"""The scans of Mamba: states that fade and to which every token adds.

A state lies in memory as `states` says: runs of 16 columns, one behind the other, each row by
row. A piece of work is such a run of one head in one sequence, since columns read nothing of each other. It
takes the tokens in order, and sums over the rows of the state in an order that only their number sets, so
the results are the same however the sequence is cut into steps.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from rushlight.backends.cpu.kernels.kv_cache import block_of
from rushlight.backends.cpu.kernels.states import ROW_BYTES
from rushlight.backends.cpu.kernels.work import inline, sequence_count, smaller, take
from rushlight.backends.cpu.simd import (
    exp,
    fma,
    load_f32,
    load_f32_partial,
    load_f32x16,
    load_i32,
    splat_f32,
    store_f32_partial,
    store_f32x16,
)
from rushlight.backends.cpu.target import Target


@inline
def _update(row, decay, b, x, c, total):
    """One row of a run: fade, add what the token brings, and read."""
    state = fma(splat_f32(load_f32(b)), x, decay * load_f32x16(row))
    store_f32x16(row, state)
    return fma(state, splat_f32(load_f32(c)), total)


@inline
def _rows_of_one_decay(state, decay, b, x, c, n):
    """``c @ state`` after all rows have faded alike: four sums, of every fourth row each, hide latency."""
    zero = splat_f32(0.0)
    sum_0, sum_1, sum_2, sum_3 = zero, zero, zero, zero
    whole = n - n % 4
    for i in range(0, whole, 4):
        row = state + ROW_BYTES * i
        sum_0 = _update(row, decay, b + 4 * i, x, c + 4 * i, sum_0)
        sum_1 = _update(row + ROW_BYTES, decay, b + 4 * i + 4, x, c + 4 * i + 4, sum_1)
        sum_2 = _update(row + 2 * ROW_BYTES, decay, b + 4 * i + 8, x, c + 4 * i + 8, sum_2)
        sum_3 = _update(row + 3 * ROW_BYTES, decay, b + 4 * i + 12, x, c + 4 * i + 12, sum_3)
    for i in range(whole, n):
        sum_0 = _update(state + ROW_BYTES * i, decay, b + 4 * i, x, c + 4 * i, sum_0)
    return (sum_0 + sum_1) + (sum_2 + sum_3)


@inline
def _head_token(op, token, head, column, state, count):
    """One token's step of up to 16 columns of a head of Mamba-2."""
    at = 4 * (head * op.head_dim + column)
    group = 4 * (head // op.n_run) * op.n_state
    dt = splat_f32(load_f32(op.dt + token * op.dt_stride + 4 * head))
    decay = exp(splat_f32(load_f32(op.a + 4 * head)) * dt)
    x = dt * load_f32_partial(op.x + token * op.x_stride + at, count)
    b, c = op.b + token * op.b_stride + group, op.c + token * op.c_stride + group
    y = _rows_of_one_decay(state, decay, b, x, c, op.n_state)
    store_f32_partial(op.y + token * op.y_stride + at, y, count)


@inline
def _column_token(op, token, head, column, state, count):
    """One token's step of up to 16 columns of Mamba-1, each with decays of its own."""
    dt = load_f32_partial(op.dt + token * op.dt_stride + 4 * column, count)
    x = dt * load_f32_partial(op.x + token * op.x_stride + 4 * column, count)
    b, c = op.b + token * op.b_stride, op.c + token * op.c_stride
    y = splat_f32(0.0)
    for i in range(op.n_state):
        decay = exp(load_f32_partial(op.a + 4 * (i * op.head_dim + column), count) * dt)
        y = _update(state + ROW_BYTES * i, decay, b + 4 * i, x, c + 4 * i, y)
    store_f32_partial(op.y + token * op.y_stride + 4 * column, y, count)


def _scan(token_step):
    """The kernel that takes each token of a sequence by `token_step`."""

    def scan(op, step, thread, n_threads):
        n_runs = (op.head_dim + 15) // 16
        n_pieces = op.n_head * n_runs
        n_all = sequence_count(step) * n_pieces
        piece = thread
        while piece < n_all:
            sequence, run = piece // n_pieces, piece % n_pieces
            head, column = run // n_runs, run % n_runs * 16
            count = smaller(16, op.head_dim - column)
            start = types.intp(load_i32(step.query_start + 4 * sequence))
            stop = types.intp(load_i32(step.query_start + 4 * sequence + 4))
            place = block_of(step, op.group, sequence, 0) * n_pieces + run
            state = op.state + ROW_BYTES * place * op.n_state
            if load_i32(step.positions + 4 * start) == 0:
                for i in range(op.n_state):
                    store_f32x16(state + ROW_BYTES * i, splat_f32(0.0))
            for token in range(start, stop):
                token_step(op, token, head, column, state, count)
            piece = take(op, n_all, n_threads)

    return scan


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The kernels, by name; see `Ops.ssm_scan` and `Ops.selective_scan`, whose `a` lies row by row."""
    return {"ssm_scan": _scan(_head_token), "selective_scan": _scan(_column_token)}
