"""Norms of rows. Sums run over 16 lanes in order of the columns and fold by halves at the end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import types

from rushlight.backends.cpu.kernels.quantize import quantizing
from rushlight.backends.cpu.kernels.work import inline, row_count, smaller, take
from rushlight.backends.cpu.simd import (
    below,
    exp,
    fma,
    lane_index,
    load_f32_partial,
    load_f32x16,
    maximum,
    reduce_add,
    reduce_max,
    select,
    splat_f32,
    splat_i32,
    sqrt,
    store_f32_partial,
    store_f32x16,
)
from rushlight.backends.cpu.target import Target


@inline
def _scale_row(x, weight, bias, y, n, mean, factor):
    """``(x - mean) * factor * weight + bias``; weights or a bias at address 0 are none."""
    whole = n - n % 16
    for i in range(0, whole, 16):
        value = (load_f32x16(x + 4 * i) - splat_f32(mean)) * splat_f32(factor)
        if weight != 0:
            value = value * load_f32x16(weight + 4 * i)
        if bias != 0:
            value = value + load_f32x16(bias + 4 * i)
        store_f32x16(y + 4 * i, value)
    if whole < n:
        rest = n - whole
        value = load_f32_partial(x + 4 * whole, rest) - splat_f32(mean)
        value = value * splat_f32(factor)
        if weight != 0:
            value = value * load_f32_partial(weight + 4 * whole, rest)
        if bias != 0:
            value = value + load_f32_partial(bias + 4 * whole, rest)
        store_f32_partial(y + 4 * whole, value, rest)


@inline
def _sum(x, n):
    whole = n - n % 16
    total = splat_f32(0.0)
    for i in range(0, whole, 16):
        total = total + load_f32x16(x + 4 * i)
    return reduce_add(total + load_f32_partial(x + 4 * whole, n - whole))


@inline
def _sum_of_squares(x, n):
    whole = n - n % 16
    total = splat_f32(0.0)
    for i in range(0, whole, 16):
        value = load_f32x16(x + 4 * i)
        total = fma(value, value, total)
    value = load_f32_partial(x + 4 * whole, n - whole)
    return reduce_add(fma(value, value, total))


@inline
def _sum_of_squared_differences(x, n, mean):
    whole = n - n % 16
    total = splat_f32(0.0)
    for i in range(0, whole, 16):
        value = load_f32x16(x + 4 * i) - splat_f32(mean)
        total = fma(value, value, total)
    if whole < n:
        # The lanes past the row hold 0; taking the mean off them too would count them.
        rest = n - whole
        inside = below(lane_index(), splat_i32(types.int32(rest)))
        value = load_f32_partial(x + 4 * whole, rest) - splat_f32(mean)
        value = select(inside, value, splat_f32(0.0))
        total = fma(value, value, total)
    return reduce_add(total)


def rms_norm(op, step, thread, n_threads):
    """``x / sqrt(mean(x^2) + eps) * weight`` of each of `n_group` runs of `n` columns."""
    rows = row_count(step, op.rows)
    row = thread
    while row < rows:
        for group in range(op.n_group):
            offset = group * op.n * 4
            x = op.x + row * op.x_stride + offset
            mean_square = _sum_of_squares(x, op.n) / types.float32(op.n)
            factor = types.float32(1.0) / sqrt(mean_square + op.eps)
            _scale_row(x, op.weight, 0, op.y + row * op.y_stride + offset, op.n, types.float32(0.0), factor)
        row = take(op, rows, n_threads)


@inline
def _rms_row(op, row):
    x = op.x + row * op.x_stride
    mean_square = _sum_of_squares(x, op.n) / types.float32(op.n)
    return x, op.weight, splat_f32(types.float32(1.0) / sqrt(mean_square + op.eps))


@inline
def _rms_value(source, offset):
    x, weight, factor = source
    return load_f32x16(x + offset) * factor * load_f32x16(weight + offset)


def layer_norm(op, step, thread, n_threads):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` of each of `n_group` runs of `n` columns."""
    rows = row_count(step, op.rows)
    row = thread
    while row < rows:
        for group in range(op.n_group):
            offset = group * op.n * 4
            x = op.x + row * op.x_stride + offset
            mean = _sum(x, op.n) / types.float32(op.n)
            variance = _sum_of_squared_differences(x, op.n, mean) / types.float32(op.n)
            factor = types.float32(1.0) / sqrt(variance + op.eps)
            weight = op.weight + offset if op.weight != 0 else op.weight
            bias = op.bias + offset if op.bias != 0 else op.bias
            _scale_row(x, weight, bias, op.y + row * op.y_stride + offset, op.n, mean, factor)
        row = take(op, rows, n_threads)


def match_magnitude(op, step, thread, n_threads):
    """``x * sqrt(sum(z^2) / sum(x^2))``."""
    rows = row_count(step, op.rows)
    row = thread
    while row < rows:
        x = op.x + row * op.x_stride
        factor = sqrt(_sum_of_squares(op.z + row * op.z_stride, op.n) / _sum_of_squares(x, op.n))
        _scale_row(x, 0, 0, op.y + row * op.y_stride, op.n, types.float32(0.0), factor)
        row = take(op, rows, n_threads)


def sparsify(op, step, thread, n_threads):
    """``max(x - (mean + scalar * std), 0)``."""
    rows = row_count(step, op.rows)
    row = thread
    while row < rows:
        x, y = op.x + row * op.x_stride, op.y + row * op.y_stride
        mean = _sum(x, op.n) / types.float32(op.n)
        variance = _sum_of_squared_differences(x, op.n, mean) / types.float32(op.n - 1)
        cut = splat_f32(mean + op.scalar * sqrt(variance))
        whole = op.n - op.n % 16
        for i in range(0, 4 * whole, 64):
            store_f32x16(y + i, maximum(load_f32x16(x + i) - cut, splat_f32(0.0)))
        if whole < op.n:
            i, rest = 4 * whole, op.n - whole
            store_f32_partial(y + i, maximum(load_f32_partial(x + i, rest) - cut, splat_f32(0.0)), rest)
        row = take(op, rows, n_threads)


@inline
def _part(x, i, n):
    """16 columns of a row of n; behind its end there are none, whose exponentials are 0."""
    inside = below(lane_index(), splat_i32(types.int32(n - i)))
    return select(inside, load_f32_partial(x + 4 * i, smaller(16, n - i)), splat_f32(-np.inf))


def softmax(op, step, thread, n_threads):
    """The share of each column's exponential in the sum of its row's."""
    rows = row_count(step, op.rows)
    row = thread
    while row < rows:
        x, y = op.x + row * op.x_stride, op.y + row * op.y_stride
        largest = splat_f32(-np.inf)
        for i in range(0, op.n, 16):
            largest = maximum(largest, _part(x, i, op.n))
        most = splat_f32(reduce_max(largest))
        total = splat_f32(0.0)
        for i in range(0, op.n, 16):
            grown = exp(_part(x, i, op.n) - most)
            total = total + grown
            store_f32_partial(y + 4 * i, grown, smaller(16, op.n - i))
        whole = splat_f32(reduce_add(total))
        for i in range(0, op.n, 16):
            count = smaller(16, op.n - i)
            store_f32_partial(y + 4 * i, load_f32_partial(y + 4 * i, count) / whole, count)
        row = take(op, rows, n_threads)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The norms, by name."""
    quantized = quantizing("rms_norm_quantize", _rms_row, _rms_value, whole_rows=True)
    others = {
        "layer_norm": layer_norm,
        "match_magnitude": match_magnitude,
        "sparsify": sparsify,
        "softmax": softmax,
    }
    return {"rms_norm": rms_norm, **quantized, **others}
