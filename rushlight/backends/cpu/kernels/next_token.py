"""The ops that let a program go on with the tokens that it has chosen, without Python in between.

They follow `argmax` where several steps are wanted (see `token_loop`). What comes behind the last op is
decided in the op before it: every thread reads that before it comes to the last barrier.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from rushlight.backends.cpu.kernels.sampling import COLUMNS_PER_PIECE, exp_scaled_of, sum_columns
from rushlight.backends.cpu.kernels.top_draw import draw_from_top, weigh_top
from rushlight.backends.cpu.kernels.work import inline, smaller, take
from rushlight.backends.cpu.records import AGAIN, ARGMAX_RESULT, DRAW, NEXT_TOKEN, OP_BYTES, offset
from rushlight.backends.cpu.simd import (
    load_f32,
    load_f64,
    load_i32,
    load_i64,
    store_f32,
    store_i32,
    store_i64,
)
from rushlight.backends.cpu.simd.double import store_f64x8, widen_f32x8_partial
from rushlight.backends.cpu.target import Target
from rushlight.portable_math import N_COLUMNS

_Y, _N_LEFT, _NUMBERS = (offset(NEXT_TOKEN, name) for name in ("y", "n_left", "numbers"))
_VALUE = offset(ARGMAX_RESULT, "value")
_DRAW_BYTES = DRAW.itemsize
_TOP_K, _TOP_P, _MIN_P = (offset(DRAW, name) for name in ("top_k", "top_p", "min_p"))
_PIECES = N_COLUMNS // COLUMNS_PER_PIECE


@inline
def _peak(op, row):
    return types.float64(load_f32(op.best + row * op.best_stride + _VALUE))


def draw_sums(op, step, thread, n_threads):
    """The weights of every output that is drawn, summed up in columns."""
    piece = thread
    while piece < step.n_outputs * _PIECES:
        row, first = piece // _PIECES, piece % _PIECES * COLUMNS_PER_PIECE
        draw, is_finite = op.draws + row * _DRAW_BYTES, load_i64(op.best + row * op.best_stride) >= 0
        temperature = load_f64(draw)
        if temperature > 0.0 and load_i64(draw + _TOP_K) == 0 and is_finite:
            x, y = op.x + row * op.x_stride, op.sums + row * 8 * N_COLUMNS
            sum_columns(x, y, op.n, first, _peak(op, row), temperature, op.table)
        piece = take(op, step.n_outputs * _PIECES, n_threads)


@inline
def _column_weights(op, row, column, count):
    """The weights of a column of an output's logits; they lie among the weights in vectors of 8."""
    x, peak = op.x + row * op.x_stride + 4 * column, _peak(op, row)
    temperature = load_f64(op.draws + row * _DRAW_BYTES)
    for first in range(0, count, 8):
        n, place = smaller(count - first, 8), op.weights + 8 * first
        for i in range(n):
            store_f32(place + 4 * i, load_f32(x + 4 * N_COLUMNS * (first + i)))
        values = widen_f32x8_partial(place, n)
        store_f64x8(place, exp_scaled_of(values, peak, temperature, op.table))


@inline
def _draw_from_all(op, row):
    """A place in the logits of an output, by its random number; see `rushlight.drawing.choose`."""
    sums, total = op.sums + row * 8 * N_COLUMNS, 0.0
    for i in range(N_COLUMNS):
        total += load_f64(sums + 8 * i)
    point = load_f64(op.numbers + 8 * row) * total
    last = smaller(op.n, N_COLUMNS) - 1
    column, before, upto = 0, 0.0, load_f64(sums)
    while column < last and upto <= point:
        column += 1
        before, upto = upto, upto + load_f64(sums + 8 * column)
    count = (op.n - column + N_COLUMNS - 1) // N_COLUMNS
    _column_weights(op, row, column, count)
    if column > 0:
        point -= before
    place, upto = 0, load_f64(op.weights)
    while place < count - 1 and upto <= point:
        place += 1
        upto += load_f64(op.weights + 8 * place)
    return column + place * N_COLUMNS


@inline
def _draw_from_top(op, row):
    draw, x = op.draws + row * _DRAW_BYTES, op.x + row * op.x_stride
    k = smaller(load_i64(draw + _TOP_K), op.n)
    weigh_top(op.top, op.weights, x, op.n, k, _peak(op, row), load_f64(draw), op.table)
    top_p, min_p = load_f64(draw + _TOP_P), load_f64(draw + _MIN_P)
    return draw_from_top(op.top, op.weights, k, top_p, min_p, load_f64(op.numbers + 8 * row))


@inline
def _choose(op, row):
    """The place of an output, -1 where one of its logits is not finite."""
    draw, place = op.draws + row * _DRAW_BYTES, load_i64(op.best + row * op.best_stride)
    if place >= 0 and load_f64(draw) > 0.0:
        place = _draw_from_all(op, row) if load_i64(draw + _TOP_K) == 0 else _draw_from_top(op, row)
    return place


@inline
def _goes_on(op, place):
    """Whether a step may follow the one that gave this place."""
    goes_on = 0 <= place < op.n_ids
    for i in range(op.n_ends):
        if load_i64(op.ends + 8 * i) == place:
            goes_on = False
    return goes_on


def choose(op, step, thread, n_threads):
    """Choose a place for each output, -1 where a logit is not finite; say whether a step follows `follow`."""
    if thread == 0:
        again = op.n_left > 1 and op.hurry == 0
        for row in range(step.n_outputs):
            place = _choose(op, row)
            store_i64(op.y + 8 * row, place)
            again = again and _goes_on(op, place)
        following, end = op.address + OP_BYTES, op.address + 2 * OP_BYTES
        store_i64(following + _Y, op.y)
        store_i64(op.address + _Y, op.y + 8 * step.n_outputs)
        store_i64(op.address + _NUMBERS, op.numbers + 8 * step.n_outputs)
        store_i64(op.address + _N_LEFT, op.n_left - 1)
        if again:
            store_i64(end, AGAIN)
        else:
            store_i64(end, 0)


def follow(op, step, thread, n_threads):
    """Each sequence's next token is the one that was chosen, at the next position."""
    row = thread
    while row < step.n_outputs:
        position = step.positions + 4 * row
        store_i32(step.token_ids + 4 * row, types.int32(load_i64(op.y + 8 * row)))
        store_i32(position, load_i32(position) + types.int32(1))
        row = take(op, step.n_outputs, n_threads)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The ops, by name."""
    return {"draw_sums": draw_sums, "choose": choose, "follow": follow}
