"""A token drawn from the few likeliest: the twin of `drawing.choose` with a `top_k`, with the same bits."""

from __future__ import annotations

from numba import types

from rushlight.backends.cpu.kernels.sampling import exp_scaled_of
from rushlight.backends.cpu.kernels.work import inline, smaller
from rushlight.backends.cpu.records import TOP, offset
from rushlight.backends.cpu.simd import (
    load_f32,
    load_f32x16,
    load_f64,
    load_i64,
    maximum,
    reduce_max,
    store_f32,
    store_f64,
    store_i64,
)
from rushlight.backends.cpu.simd.double import store_f64x8, widen_f32x8_partial
from rushlight.drawing import N_CUTS
from rushlight.portable_math import RUN

_IDS, _ORDERED = offset(TOP, "ids"), offset(TOP, "ordered")


@inline
def _highest_of_run(x):
    best = load_f32x16(x)
    for i in range(16, RUN, 16):
        best = maximum(best, load_f32x16(x + 4 * i))
    return reduce_max(best)


@inline
def _insert(top, value, id, place):
    """Put a logit behind those that are not lower; the one at `place` makes room."""
    while place > 0 and load_f32(top + 4 * (place - 1)) < value:
        store_f32(top + 4 * place, load_f32(top + 4 * (place - 1)))
        store_i64(top + _IDS + 8 * place, load_i64(top + _IDS + 8 * (place - 1)))
        place -= 1
    store_f32(top + 4 * place, value)
    store_i64(top + _IDS + 8 * place, id)


@inline
def _find_top(top, x, n, k):
    """The k highest of n logits."""
    for i in range(k):
        _insert(top, load_f32(x + 4 * i), i, i)
    least, first = load_f32(top + 4 * (k - 1)), k
    while first < n:
        stop = smaller(first + RUN, n)
        if stop - first < RUN or _highest_of_run(x + 4 * first) > least:
            for i in range(first, stop):
                if load_f32(x + 4 * i) > least:
                    _insert(top, load_f32(x + 4 * i), i, k - 1)
                    least = load_f32(top + 4 * (k - 1))
        first = stop


@inline
def _sort_by_id(top, k):
    for i in range(1, k):
        place, value, id = i, load_f32(top + 4 * i), load_i64(top + _IDS + 8 * i)
        while place > 0 and load_i64(top + _IDS + 8 * (place - 1)) > id:
            store_f32(top + 4 * place, load_f32(top + 4 * (place - 1)))
            store_i64(top + _IDS + 8 * place, load_i64(top + _IDS + 8 * (place - 1)))
            place -= 1
        store_f32(top + 4 * place, value)
        store_i64(top + _IDS + 8 * place, id)


@inline
def _sort_weights(ordered, weights, k):
    """The heaviest first."""
    for i in range(k):
        place, weight = i, load_f64(weights + 8 * i)
        while place > 0 and load_f64(ordered + 8 * (place - 1)) < weight:
            store_f64(ordered + 8 * place, load_f64(ordered + 8 * (place - 1)))
            place -= 1
        store_f64(ordered + 8 * place, weight)


@inline
def _sum_above(weights, k, cut):
    total = 0.0
    for i in range(k):
        if load_f64(weights + 8 * i) >= cut:
            total += load_f64(weights + 8 * i)
    return total


@inline
def _nucleus(ordered, weights, k, top_p):
    """How many of the heaviest weights hold a share of `top_p`; the cuts are those of `drawing`."""
    wanted = top_p * _sum_above(weights, k, 0.0)
    cut, factor, found = 0.125, 0.125, False
    for _ in range(N_CUTS):
        if not found:
            found = _sum_above(weights, k, cut) >= wanted
        if not found:
            cut *= factor
            factor *= 0.5
    if not found:
        cut = 0.0
    n_kept, held = 0, 0.0
    while n_kept < k and load_f64(ordered + 8 * n_kept) >= cut and (n_kept == 0 or held < wanted):
        held += load_f64(ordered + 8 * n_kept)
        n_kept += 1
    return n_kept


@inline
def _weigh(top, weights, k, peak, temperature, table):
    """The weights of the top, ascending by id, and ordered by weight."""
    for i in range(0, k, 8):
        values = widen_f32x8_partial(top + 4 * i, smaller(k - i, 8))
        store_f64x8(weights + 8 * i, exp_scaled_of(values, peak, temperature, table))
    _sort_weights(top + _ORDERED, weights, k)


@inline
def _drop_light(top, weights, k, n_kept, min_p):
    """Make the weights 0 that are not among the `n_kept` heaviest, or below `min_p`; the sum of the others.

    Of equal weights the first by id are kept.
    """
    lightest, left = load_f64(top + _ORDERED + 8 * (n_kept - 1)), 0
    for i in range(n_kept):
        if load_f64(top + _ORDERED + 8 * i) == lightest:
            left += 1
    total = 0.0
    for i in range(k):
        weight = load_f64(weights + 8 * i)
        if weight == lightest:
            left -= 1
        if weight < min_p or weight < lightest or (weight == lightest and left < 0):
            store_f64(weights + 8 * i, 0.0)
        else:
            total += weight
    return total


@inline
def draw_from_top(top, weights, k, top_p, min_p, number):
    """The place in a row of logits that a random number falls on, of the top and its weights.

    Args:
        top: a `TOP` of k logits, ascending by id.
        weights: theirs, which are changed.
        k: how many.
        top_p, min_p, number: see `drawing.Draw`.
    """
    n_kept = k
    if top_p < 1.0:
        n_kept = _nucleus(top + _ORDERED, weights, k, top_p)
    point = number * _drop_light(top, weights, k, n_kept, min_p)
    upto, place = 0.0, types.intp(0)
    for i in range(k):
        weight = load_f64(weights + 8 * i)
        if weight > 0.0 and upto <= point:
            upto += weight
            place = load_i64(top + _IDS + 8 * i)
    return place


@inline
def weigh_top(top, weights, x, n, k, peak, temperature, table):
    """Find the k highest of n logits, at most `MOST_OF_TOP`, and their weights."""
    _find_top(top, x, n, k)
    _sort_by_id(top, k)
    _weigh(top, weights, k, peak, temperature, table)
