"""Element by element, and the choice of output rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from rushlight.backends.cpu.kernels.quantize import quantizing
from rushlight.backends.cpu.kernels.work import inline, row_count, smaller, take
from rushlight.backends.cpu.simd import (
    above,
    below,
    exp,
    fma,
    load_f32,
    load_f32_partial,
    load_f32x16,
    load_i32,
    maximum,
    minimum,
    select,
    splat_f32,
    store_f32_partial,
    store_f32x16,
    tanh,
)
from rushlight.backends.cpu.target import Target


@inline
def _add(x, z):
    return x + z


@inline
def _multiply(x, z):
    return x * z


@inline
def _silu_mul(x, z):
    return x / (splat_f32(1.0) + exp(splat_f32(0.0) - x)) * z


@inline
def _gelu(x, z):
    inner = splat_f32(0.797884561) * x * fma(splat_f32(0.044715) * x, x, splat_f32(1.0))
    # The tanh form, written as x times the logistic function of 2 * inner: nothing cancels.
    return x / (splat_f32(1.0) + exp(splat_f32(-2.0) * inner))


@inline
def _gelu_mul(x, z):
    return _gelu(x, z) * z


@inline
def _silu(x, z):
    return x / (splat_f32(1.0) + exp(splat_f32(0.0) - x))


@inline
def _sigmoid(x, z):
    return splat_f32(1.0) / (splat_f32(1.0) + exp(splat_f32(0.0) - x))


@inline
def _softplus(x, z):
    positive = maximum(x, splat_f32(0.0))
    # What exceeds that is log1p of this, which is at most 1.
    u = exp(x - positive - positive)
    s = u / (u + splat_f32(2.0))
    # log1p(u) is 2 artanh(s): its series, as far as float32 goes where s is at most 1 / 3.
    square = s * s
    p = splat_f32(1.0 / 15.0)
    for i in range(7):
        p = fma(p, square, splat_f32(1.0 / (13.0 - 2.0 * i)))
    return fma(s + s, p, positive)


@inline
def _exp(x, z):
    return exp(x)


@inline
def _relu_mul(x, z):
    return maximum(x, splat_f32(0.0)) * z


@inline
def _relu_squared(x, z):
    positive = maximum(x, splat_f32(0.0))
    return positive * positive


@inline
def _scale(x, factor):
    return x * factor


@inline
def _clamp(x, limit):
    return minimum(maximum(x, splat_f32(0.0) - limit), limit)


@inline
def _minimum(x, limit):
    return select(above(x, limit), limit, x)  # keeps NaN


@inline
def _softcap(x, cap):
    return cap * tanh(x / cap)


@inline
def _swiglu_oai(x, z):
    # Comparing keeps NaN, which the processor's minimum would lose.
    g = select(above(x, splat_f32(7.0)), splat_f32(7.0), x)
    u = select(above(z, splat_f32(7.0)), splat_f32(7.0), z)
    u = select(below(u, splat_f32(-7.0)), splat_f32(-7.0), u)
    return g / (splat_f32(1.0) + exp(splat_f32(-1.702) * g)) * (u + splat_f32(1.0))


def _rowwise(function: Any) -> Callable[..., None]:
    """A kernel that gives ``y = function(x, z)``; an op without z has it equal to x."""

    def kernel(op, step, thread, n_threads):
        rows = row_count(step, op.rows)
        whole = op.n - op.n % 16
        row = thread
        while row < rows:
            x, z, y = op.x + row * op.x_stride, op.z + row * op.z_stride, op.y + row * op.y_stride
            for i in range(0, 4 * whole, 64):
                store_f32x16(y + i, function(load_f32x16(x + i), load_f32x16(z + i)))
            if whole < op.n:
                i, rest = 4 * whole, op.n - whole
                value = function(load_f32_partial(x + i, rest), load_f32_partial(z + i, rest))
                store_f32_partial(y + i, value, rest)
            row = take(op, rows, n_threads)

    return kernel


def _by_scalar(function: Any) -> Callable[..., None]:
    """A kernel that gives ``y = function(x, scalar)``."""

    def kernel(op, step, thread, n_threads):
        rows = row_count(step, op.rows)
        whole, scalar = op.n - op.n % 16, splat_f32(op.scalar)
        row = thread
        while row < rows:
            x, y = op.x + row * op.x_stride, op.y + row * op.y_stride
            for i in range(0, 4 * whole, 64):
                store_f32x16(y + i, function(load_f32x16(x + i), scalar))
            if whole < op.n:
                i, rest = 4 * whole, op.n - whole
                store_f32_partial(y + i, function(load_f32_partial(x + i, rest), scalar), rest)
            row = take(op, rows, n_threads)

    return kernel


def _quantized(name: str, function: Any) -> dict[str, Callable[..., None]]:
    """`_rowwise`, then `quantize`."""

    @inline
    def rows(op, row):
        return op.x + row * op.x_stride, op.z + row * op.z_stride

    @inline
    def value(source, offset):
        x, z = source
        return function(load_f32x16(x + offset), load_f32x16(z + offset))

    return quantizing(f"{name}_quantize", rows, value)


def sigmoid_scale(op, step, thread, n_threads):
    """``y = x / (1 + exp(-z))``, z being one number a row."""
    rows = row_count(step, op.rows)
    row = thread
    while row < rows:
        x, y = op.x + row * op.x_stride, op.y + row * op.y_stride
        factor = splat_f32(1.0) + exp(splat_f32(0.0) - splat_f32(load_f32(op.z + row * op.z_stride)))
        for i in range(0, op.n, 16):
            count = smaller(16, op.n - i)
            store_f32_partial(y + 4 * i, load_f32_partial(x + 4 * i, count) / factor, count)
        row = take(op, rows, n_threads)


@inline
def _xielu(x, op):
    linear = splat_f32(op.beta) * x
    positive = splat_f32(op.alpha_p) * x * x
    grown = exp(minimum(x, splat_f32(op.eps))) - splat_f32(1.0)
    negative = splat_f32(op.alpha_n) * (grown - x)
    return select(below(splat_f32(0.0), x), positive, negative) + linear


def xielu(op, step, thread, n_threads):
    """The expanded integral of the exponential linear unit, of every element."""
    rows = row_count(step, op.rows)
    whole = op.n - op.n % 16
    row = thread
    while row < rows:
        x, y = op.x + row * op.x_stride, op.y + row * op.y_stride
        for i in range(0, 4 * whole, 64):
            store_f32x16(y + i, _xielu(load_f32x16(x + i), op))
        if whole < op.n:
            i, rest = 4 * whole, op.n - whole
            store_f32_partial(y + i, _xielu(load_f32_partial(x + i, rest), op), rest)
        row = take(op, rows, n_threads)


def scale_rows(op, step, thread, n_threads):
    """Each of `n_group` runs of a row times a number of its own."""
    rows = row_count(step, op.rows)
    whole = op.n - op.n % 16
    row = thread
    while row < rows:
        for group in range(op.n_group):
            start = 4 * group * op.n
            x, y = op.x + row * op.x_stride + start, op.y + row * op.y_stride + start
            factor = splat_f32(load_f32(op.z + row * op.z_stride + 4 * group))
            for i in range(0, 4 * whole, 64):
                store_f32x16(y + i, load_f32x16(x + i) * factor)
            if whole < op.n:
                i, rest = 4 * whole, op.n - whole
                store_f32_partial(y + i, load_f32_partial(x + i, rest) * factor, rest)
        row = take(op, rows, n_threads)


@inline
def _copy_row(x, y, n):
    whole = n - n % 16
    for i in range(0, 4 * whole, 64):
        store_f32x16(y + i, load_f32x16(x + i))
    store_f32_partial(y + 4 * whole, load_f32_partial(x + 4 * whole, n - whole), n - whole)


def embed_positions(op, step, thread, n_threads):
    """Copy the rows of a table that belong to the tokens' positions."""
    row = thread
    while row < step.n_tokens:
        position = types.intp(load_i32(step.positions + 4 * row))
        _copy_row(op.x + position * op.x_stride, op.y + row * op.y_stride, op.n)
        row = take(op, step.n_tokens, n_threads)


def outputs(op, step, thread, n_threads):
    """Copy the rows of the output tokens."""
    row = thread
    while row < step.n_outputs:
        _copy_row(op.x + load_i32(step.outputs + 4 * row) * op.x_stride, op.y + row * op.y_stride, op.n)
        row = take(op, step.n_outputs, n_threads)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The kernels, by name."""
    functions = {
        "silu_mul": _silu_mul,
        "relu_mul": _relu_mul,
        "gelu_mul": _gelu_mul,
        "gelu": _gelu,
        "relu_squared": _relu_squared,
        "swiglu_oai": _swiglu_oai,
    }
    found: dict[str, Callable[..., None]] = {
        "add": _rowwise(_add),
        "exp": _rowwise(_exp),
        "silu": _rowwise(_silu),
        "sigmoid": _rowwise(_sigmoid),
        "softplus": _rowwise(_softplus),
        "scale": _by_scalar(_scale),
        "multiply": _rowwise(_multiply),
        "scale_rows": scale_rows,
        "clamp": _by_scalar(_clamp),
        "minimum": _by_scalar(_minimum),
        "softcap": _by_scalar(_softcap),
        "sigmoid_scale": sigmoid_scale,
        "xielu": xielu,
        "embed_positions": embed_positions,
        "outputs": outputs,
    }
    for name, function in functions.items():
        found |= {name: _rowwise(function), **_quantized(name, function)}
    return found
