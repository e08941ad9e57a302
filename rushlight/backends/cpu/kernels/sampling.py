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
def _exp_scaled(op, z):
    z = z - splat_f64(op.offset)
    if op.divisor != 1.0:
        z = z / splat_f64(op.divisor)
    return _exp(z, op.table)


def exp_scaled(op, step, thread, n_threads):
    """``exp((x - offset) / divisor)``; `y` has room for whole vectors of 8."""
    first = take(op) * PIECE
    while first < op.n:
        stop = smaller(first + PIECE, op.n)
        whole = stop - stop % 8
        for i in range(first, whole, 8):
            store_f64x8(op.y + 8 * i, _exp_scaled(op, widen_f32x8(op.x + 4 * i)))
        if whole < stop:
            store_f64x8(
                op.y + 8 * whole, _exp_scaled(op, widen_f32x8_partial(op.x + 4 * whole, stop - whole))
            )
        first = take(op) * PIECE


def exp_column_sums(op, step, thread, n_threads):
    """Sums of every `N_COLUMNS`-th of the numbers of `exp_scaled`, in order."""
    whole = op.n - op.n % N_COLUMNS
    first = take(op) * COLUMNS_PER_PIECE
    while first < N_COLUMNS:
        stop = first + COLUMNS_PER_PIECE
        for column in range(first, stop, 8):
            store_f64x8(op.y + 8 * column, splat_f64(0.0))
        for row in range(0, whole, N_COLUMNS):
            for column in range(first, stop, 8):
                value, place = _exp_scaled(op, widen_f32x8(op.x + 4 * (row + column))), op.y + 8 * column
                store_f64x8(place, load_f64x8(place) + value)
        for column in range(first, smaller(stop, op.n - whole), 8):
            count, place = op.n - whole - column, op.y + 8 * column
            value = _exp_scaled(op, widen_f32x8_partial(op.x + 4 * (whole + column), count))
            store_f64x8(place, load_f64x8(place) + first_lanes(value, count))
        first = take(op) * COLUMNS_PER_PIECE


def run_maxima(op, step, thread, n_threads):
    """The highest of every `RUN` numbers; a last run that is not whole is left out."""
    n_runs = op.n // RUN
    first = take(op) * (PIECE // RUN)
    while first < n_runs:
        for run in range(first, smaller(first + PIECE // RUN, n_runs)):
            x = op.x + 4 * RUN * run
            best = load_f32x16(x)
            for i in range(16, RUN, 16):
                best = maximum(best, load_f32x16(x + 4 * i))
            store_f32(op.y + 4 * run, reduce_max(best))
        first = take(op) * (PIECE // RUN)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The row operations, by name."""
    return {"exp_scaled": exp_scaled, "exp_column_sums": exp_column_sums, "run_maxima": run_maxima}
