"""Short convolutions along sequences.

A piece of work is some columns of one sequence: it reads and writes no other's state, and takes the tokens in
order, so the sums are the same however the sequence is cut into steps.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from rushlight.backends.cpu.kernels.kv_cache import block_of
from rushlight.backends.cpu.kernels.work import inline, sequence_count, smaller, take
from rushlight.backends.cpu.simd import fma, load_f32_partial, load_i32, splat_f32, store_f32_partial
from rushlight.backends.cpu.target import Target

COLUMNS = 64
"""Columns of a piece of work: whole cache lines."""


@inline
def _input(op, x, kept, is_new, i, count):
    """Row i of a sequence's inputs in this step; those in front of it are kept, or zero in a new sequence."""
    address = x + i * op.x_stride
    if i < 0:
        address = kept + 4 * (i + op.n_taps - 1) * op.n
        if is_new:
            count = 0
    return load_f32_partial(address, count)


@inline
def _convolve(op, step, sequence, column, count):
    """Up to 16 columns of a sequence."""
    start = types.intp(load_i32(step.query_start + 4 * sequence))
    n_tokens = types.intp(load_i32(step.query_start + 4 * sequence + 4)) - start
    is_new = load_i32(step.positions + 4 * start) == 0
    n_kept = op.n_taps - 1
    x = op.x + start * op.x_stride + 4 * column
    y = op.y + start * op.y_stride + 4 * column
    kept = op.kept + 4 * (block_of(step, op.group, sequence, 0) * n_kept * op.n + column)
    bias = splat_f32(0.0)
    if op.bias != 0:
        bias = load_f32_partial(op.bias + 4 * column, count)
    for token in range(n_tokens):
        total = bias
        for k in range(op.n_taps):
            tap = load_f32_partial(op.weight + 4 * (k * op.n + column), count)
            total = fma(_input(op, x, kept, is_new, token - n_kept + k, count), tap, total)
        store_f32_partial(y + token * op.y_stride, total, count)
    for i in range(n_kept):
        # A row that is still needed lies behind the one that is overwritten.
        last = _input(op, x, kept, is_new, n_tokens - n_kept + i, count)
        store_f32_partial(kept + 4 * i * op.n, last, count)


def short_conv(op, step, thread, n_threads):
    """See `Ops.short_conv`; the weights lie tap by tap."""
    n_pieces = (op.n + COLUMNS - 1) // COLUMNS
    n_all = sequence_count(step) * n_pieces
    piece = thread
    while piece < n_all:
        first = piece % n_pieces * COLUMNS
        for column in range(first, smaller(first + COLUMNS, op.n), 16):
            _convolve(op, step, piece // n_pieces, column, smaller(16, op.n - column))
        piece = take(op, n_all, n_threads)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The kernel, by name."""
    return {"short_conv": short_conv}
