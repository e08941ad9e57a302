"""Exponentials and logarithms that are bit-identical on every processor.

NumPy's and the C library's ``exp`` and ``log`` choose other instructions on other processors and differ in
the last bits; a sampled token must not. Everything here is built of operations that IEEE 754 rounds
correctly (+, -, *, /, rint) and of integer arithmetic.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from functools import cache

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

_STEP_BITS = 10
STEPS = 1 << _STEP_BITS
_MANTISSA_BITS = 52
LN2 = 0.6931471805599453
_CHUNK = 8192  # values worked on at once: their scratch arrays fit the cache
N_COLUMNS = 512
LOWEST = -700.0
RUN = 64
_LOG_TERMS = 11


@cache
def powers_of_two() -> npt.NDArray[np.int64]:
    """The bits of ``2 ** (j / 1024)``, correctly rounded, for j from 0 to 1023."""
    context = Context(prec=40)
    root = Decimal(2)
    for _ in range(_STEP_BITS):
        root = context.sqrt(root)
    powers = [Decimal(1)]
    while len(powers) < STEPS:
        powers.append(context.multiply(powers[-1], root))
    return np.array([float(p) for p in powers]).view(np.int64)


def exp_scaled(x: Float32Array, offset: float, divisor: float) -> Float64Array:
    """``exp((x - offset) / divisor)`` in float64, for arguments up to 0; below -700 it gives ``exp(-700)``.

    The relative error is below 2e-13 (below 1e-14 for arguments over -40).

    Args:
        x: float32 [n], finite, none above `offset`.
        offset: taken from every value.
        divisor: positive.

    Returns:
        float64 [n], in (0, 1].
    """
    table = powers_of_two()
    out = np.empty(len(x))
    k_buffer, steps_buffer = np.empty(_CHUNK), np.empty(_CHUNK, np.int64)
    for start in range(0, len(x), _CHUNK):
        z = out[start : start + _CHUNK]
        k, steps = k_buffer[: len(z)], steps_buffer[: len(z)]
        np.subtract(x[start : start + _CHUNK], offset, out=z, dtype=np.float64)
        if divisor != 1.0:
            with np.errstate(over="ignore"):  # a tiny divisor: minus infinity, which is raised to -700
                z /= divisor
        np.maximum(z, LOWEST, out=z)
        np.rint(np.multiply(z, STEPS / LN2, out=k), out=k)  # z = k ln(2) / 1024 + r
        np.copyto(steps, k, casting="unsafe")
        z -= np.multiply(k, LN2 / STEPS, out=k)
        np.multiply(z, 1 / 6, out=k)
        k += 0.5
        k *= z
        k += 1.0
        k *= z
        k += 1.0  # exp(r), |r| < 0.00034, by its Taylor polynomial of degree 3
        power = table.take(steps & (STEPS - 1))
        steps >>= _STEP_BITS
        steps <<= _MANTISSA_BITS
        power += steps
        np.multiply(k, power.view(np.float64), out=z)
    return out


def column_sums(values: Float64Array) -> Float64Array:
    """Sums of every `N_COLUMNS`-th value, added one after the other: float64 [N_COLUMNS].

    Laid out in rows of `N_COLUMNS`, whole rows are added at a time: fast, and in the same order everywhere.
    """
    n_whole = len(values) // N_COLUMNS * N_COLUMNS
    sums = np.zeros(N_COLUMNS)
    if n_whole:
        np.add.reduce(values[:n_whole].reshape(-1, N_COLUMNS), axis=0, out=sums)
    sums[: len(values) - n_whole] += values[n_whole:]
    return sums


def run_maxima(x: Float32Array) -> Float32Array:
    """The highest of every `RUN` values, those after the last whole run left out: float32 [n // RUN]."""
    n_whole = len(x) // RUN * RUN
    maxima: Float32Array = x[:n_whole].reshape(-1, RUN).max(axis=1)
    return maxima


def total_of_columns(sums: Float64Array) -> float:
    """The sum of `column_sums`, added in order."""
    return float(np.cumsum(sums)[-1])


def total(values: Float64Array) -> float:
    """The sum of all values, added in a fixed order."""
    return total_of_columns(column_sums(values))


def log(x: float) -> float:
    """The natural logarithm of a positive, finite, normal number, to a relative error below 1e-15.

    Source of the series: ``log(m) = 2 atanh((m - 1) / (m + 1))``.
    """
    mantissa, exponent = math.frexp(x)
    if mantissa < math.sqrt(0.5):
        mantissa, exponent = 2.0 * mantissa, exponent - 1
    t = (mantissa - 1.0) / (mantissa + 1.0)
    square, total = t * t, 0.0
    for k in range(_LOG_TERMS, -1, -1):
        total = total * square + 1.0 / (2 * k + 1)
    return exponent * LN2 + 2.0 * t * total
