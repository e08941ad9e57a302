"""Least-squares search for the scale, and the minimum, of a group of values.

Rounding to the nearest level of the obvious scale is not the best that a few bits can do: a scale a little
smaller or larger may fit the group better. Both searches try a row of scales, solve for the best scale (and
minimum) given the integers that each one rounds to, and keep what gives the least weighted squared error.

Source: the reference quantizers of ggml, ``make_qx_quants`` and ``make_qkx2_quants`` in ``ggml-quants.c``.
Their results agree up to the rounding of the sums, which are added here in another order.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rushlight.quants.blocks import Floats

# Groups whose values are all smaller than this are stored as zeros.
EPSILON = np.float32(1e-15)


def fit_scale(x: Floats, zero: int) -> Floats:
    """Scales [G] for groups x [G, n] stored as integers from ``-zero`` to ``zero - 1``.

    A value counts with its own square as weight, so large ones are kept well.
    """
    largest = np.take_along_axis(x, np.abs(x).argmax(axis=1, keepdims=True), axis=1)
    empty = np.abs(largest) < EPSILON
    # Fourth powers of the values follow; a power of two keeps them in range and changes no bit of the result.
    _, exponent = np.frexp(largest)
    x, largest = np.ldexp(x, -exponent), np.where(empty, np.float32(1), np.ldexp(largest, -exponent))
    weights = x * x
    weighted_x = weights * x
    scale = score = np.zeros(len(x), np.float32)
    # The plain scale comes first, so that one which is no better does not replace it.
    for step in (0, *range(-9, 0), *range(1, 10)):
        q = np.clip(np.rint(x * (np.float32(-(zero + 0.1 * step)) / largest)), -zero, zero - 1)
        xq, qq = _dot(weighted_x, q), _dot(weights * q, q)
        better = xq * xq > score * qq
        candidate = _ratio(xq, qq)
        scale, score = np.where(better, candidate, scale), np.where(better, candidate * xq, score)
    return np.where(empty[:, 0], np.float32(0), np.ldexp(scale, exponent[:, 0]))


def fit_scale_and_min(x: Floats, q_max: int, steps: Iterable[float]) -> tuple[Floats, Floats]:
    """Scales and minimums [G] for groups x [G, n] stored as ``scale * q - minimum``, q from 0 to `q_max`.

    Both are at least 0. `steps` are the numbers of levels tried, relative to `q_max`. A value counts with its
    magnitude plus the group's root mean square as weight.
    """
    weights = np.sqrt((x * x).mean(axis=1, keepdims=True)) + np.abs(x)
    w, wx = weights.sum(axis=1), _dot(weights, x)
    high = x.max(axis=1)
    low = np.minimum(x.min(axis=1), np.float32(0))
    scale = (high - low) / np.float32(q_max)
    error = _error(x, weights, _levels(x, low, high, q_max, 0.0), scale, low)
    for step in steps:
        q = _levels(x, low, high, q_max, step)
        weighted = weights * q
        wq, wqq, wxq = weighted.sum(axis=1), _dot(weighted, q), _dot(weighted, x)
        determinant = w * wqq - wq * wq
        new_scale = _ratio(w * wxq - wx * wq, determinant)
        new_low = _ratio(wqq * wx - wq * wxq, determinant)
        above = new_low > 0
        new_scale, new_low = np.where(above, _ratio(wxq, wqq), new_scale), np.where(above, 0, new_low)
        new_error = _error(x, weights, q, new_scale, new_low)
        better = (determinant > 0) & (new_scale > 0) & (new_error < error)
        scale, low = np.where(better, new_scale, scale), np.where(better, new_low, low)
        error = np.where(better, new_error, error)
    # Not -low, which would store a minimum of -0.
    return scale, np.float32(0) - low


def _levels(x: Floats, low: Floats, high: Floats, q_max: int, step: float) -> Floats:
    """The integers [G, n] that `x` rounds to when ``q_max + step`` levels span `low` to `high`."""
    per_level = _ratio(np.full_like(low, q_max + step), high - low)[:, None]
    return np.clip(np.rint(per_level * (x - low[:, None])), 0, q_max)


def _error(x: Floats, weights: Floats, q: Floats, scale: Floats, low: Floats) -> Floats:
    difference = scale[:, None] * q + low[:, None] - x
    return _dot(weights * difference, difference)


def _dot(a: Floats, b: Floats) -> Floats:
    sums: Floats = np.einsum("gn,gn->g", a, b, dtype=np.float32)
    return sums


def _ratio(a: Floats, b: Floats) -> Floats:
    """``a / b``, and 0 where `b` is not positive."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
