"""What sampling computes over a whole vocabulary: the twins of `portable_math`, with the same bits.

All sums and products are float64, in the order written there; none is contracted to an fma.
"""

from __future__ import annotations

from collections.abc import Callable

from rushlight.backends.cpu.kernels.work import inline, smaller, take
from rushlight.backends.cpu.simd import load_f32x16, maximum, reduce_max, store_f32
from rushlight.backends.cpu.simd.double import (
    first_lanes,
    larger_of,
    load_f64x8,
    power_of_two,
    round_f64,
    splat_f64,
    store_f64x8,
    widen_f32x8,
    widen_f32x8_partial,
)
from rushlight.backends.cpu.target import Target
from rushlight.portable_math import LN2, LOWEST, N_COLUMNS, RUN, STEPS

PIECE = 4096
"""Numbers of a piece of work, a multiple of `RUN`."""

COLUMNS_PER_PIECE = 128
_SCALE, _STEP, _SIXTH = STEPS / LN2, LN2 / STEPS, 1 / 6


@inline
def _exp(z, table):
    """``exp`` of numbers from `LOWEST` to 0; see `portable_math.exp_scaled`."""
    z = larger_of(z, splat_f64(LOWEST))
    k = round_f64(z * splat_f64(_SCALE))
    r = z - k * splat_f64(_STEP)
    p = r * splat_f64(_SIXTH) + splat_f64(0.5)
    p = p * r + splat_f64(1.0)
    p = p * r + splat_f64(1.0)
    return p * power_of_two(k, table)


@inline
def exp_scaled_of(z, offset, divisor, table):
    """``exp((z - offset) / divisor)`` of 8 numbers."""
    z = z - splat_f64(offset)
    if divisor != 1.0:
        z = z / splat_f64(divisor)
    return _exp(z, table)


@inline
def sum_columns(x, y, n, first, offset, divisor, table):
    """Some columns of the sums of `exp_column_sums`, from `first` on, of the n numbers at `x`."""
    whole, stop = n - n % N_COLUMNS, first + COLUMNS_PER_PIECE
    for column in range(first, stop, 8):
        store_f64x8(y + 8 * column, splat_f64(0.0))
    for row in range(0, whole, N_COLUMNS):
        for column in range(first, stop, 8):
            value = exp_scaled_of(widen_f32x8(x + 4 * (row + column)), offset, divisor, table)
            store_f64x8(y + 8 * column, load_f64x8(y + 8 * column) + value)
    for column in range(first, smaller(stop, n - whole), 8):
        count = n - whole - column
        value = widen_f32x8_partial(x + 4 * (whole + column), count)
        value = first_lanes(exp_scaled_of(value, offset, divisor, table), count)
        store_f64x8(y + 8 * column, load_f64x8(y + 8 * column) + value)


def exp_scaled(op, step, thread, n_threads):
    """``exp((x - offset) / divisor)``; `y` has room for whole vectors of 8."""
    n_pieces = (op.n + PIECE - 1) // PIECE
    first = thread * PIECE
    while first < op.n:
        stop = smaller(first + PIECE, op.n)
        whole = stop - stop % 8
        for i in range(first, whole, 8):
            value = widen_f32x8(op.x + 4 * i)
            store_f64x8(op.y + 8 * i, exp_scaled_of(value, op.offset, op.divisor, op.table))
        if whole < stop:
            value = widen_f32x8_partial(op.x + 4 * whole, stop - whole)
            store_f64x8(op.y + 8 * whole, exp_scaled_of(value, op.offset, op.divisor, op.table))
        first = take(op, n_pieces, n_threads) * PIECE


def exp_column_sums(op, step, thread, n_threads):
    """Sums of every `N_COLUMNS`-th of the numbers of `exp_scaled`, in order."""
    first = thread * COLUMNS_PER_PIECE
    while first < N_COLUMNS:
        sum_columns(op.x, op.y, op.n, first, op.offset, op.divisor, op.table)
        first = take(op, N_COLUMNS // COLUMNS_PER_PIECE, n_threads) * COLUMNS_PER_PIECE


def run_maxima(op, step, thread, n_threads):
    """The highest of every `RUN` numbers; a last run that is not whole is left out."""
    n_runs = op.n // RUN
    n_pieces = (op.n + PIECE - 1) // PIECE
    first = thread * (PIECE // RUN)
    while first < n_runs:
        for run in range(first, smaller(first + PIECE // RUN, n_runs)):
            x = op.x + 4 * RUN * run
            best = load_f32x16(x)
            for i in range(16, RUN, 16):
                best = maximum(best, load_f32x16(x + 4 * i))
            store_f32(op.y + 4 * run, reduce_max(best))
        first = take(op, n_pieces, n_threads) * (PIECE // RUN)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The row operations, by name."""
    return {"exp_scaled": exp_scaled, "exp_column_sums": exp_column_sums, "run_maxima": run_maxima}
