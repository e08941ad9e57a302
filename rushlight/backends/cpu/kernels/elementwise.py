"""Element by element, and the choice of output rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.backends.cpu.kernels.quantize import quantize_block
from rushlight.backends.cpu.kernels.work import inline, row_count, take
from rushlight.backends.cpu.records import META_BYTES
from rushlight.backends.cpu.simd import (
    exp,
    fma,
    load_f32_partial,
    load_f32x16,
    load_i32,
    splat_f32,
    store_f32_partial,
    store_f32x16,
)
from rushlight.backends.cpu.target import Target


@inline
def _add(x, z):
    return x + z


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


def _rowwise(function: Any) -> Callable[..., None]:
    """A kernel that gives ``y = function(x, z)``; an op without z has it equal to x."""

    def kernel(op, step, thread, n_threads):
        rows = row_count(step, op.rows)
        whole = op.n - op.n % 16
        row = take(op)
        while row < rows:
            x, z, y = op.x + row * op.x_stride, op.z + row * op.z_stride, op.y + row * op.y_stride
            for i in range(0, 4 * whole, 64):
                store_f32x16(y + i, function(load_f32x16(x + i), load_f32x16(z + i)))
            if whole < op.n:
                i, rest = 4 * whole, op.n - whole
                value = function(load_f32_partial(x + i, rest), load_f32_partial(z + i, rest))
                store_f32_partial(y + i, value, rest)
            row = take(op)

    return kernel


def _quantized(function: Any) -> Callable[..., None]:
    """`_rowwise`, then `quantize`; the columns are a multiple of 32."""

    def kernel(op, step, thread, n_threads):
        rows = row_count(step, op.rows)
        row = take(op)
        while row < rows:
            x, z = op.x + row * op.x_stride, op.z + row * op.z_stride
            y, meta = op.y + row * op.y_stride, op.meta + row * op.meta_stride
            for block in range(op.n // 32):
                i = 128 * block
                low = function(load_f32x16(x + i), load_f32x16(z + i))
                high = function(load_f32x16(x + i + 64), load_f32x16(z + i + 64))
                quantize_block(low, high, y + 32 * block, meta + META_BYTES * block)
            row = take(op)

    return kernel


def outputs(op, step, thread, n_threads):
    """Copy the rows of the output tokens."""
    whole = op.n - op.n % 16
    row = take(op)
    while row < step.n_outputs:
        x, y = op.x + load_i32(step.outputs + 4 * row) * op.x_stride, op.y + row * op.y_stride
        for i in range(0, 4 * whole, 64):
            store_f32x16(y + i, load_f32x16(x + i))
        store_f32_partial(y + 4 * whole, load_f32_partial(x + 4 * whole, op.n - whole), op.n - whole)
        row = take(op)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The kernels, by name."""
    functions = {"silu_mul": _silu_mul, "gelu_mul": _gelu_mul, "gelu": _gelu}
    return {
        "add": _rowwise(_add),
        **{name: _rowwise(function) for name, function in functions.items()},
        **{f"{name}_quantize": _quantized(function) for name, function in functions.items()},
        "outputs": outputs,
    }
