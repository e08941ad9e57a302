"""Elementwise ops in NumPy: see `rushlight.backends.row_ops.ElementwiseOps`."""

from __future__ import annotations

import math

import numpy as np

from rushlight.backends.reference.values import StepOps, Values, as_array, as_vector
from rushlight.backends.tensors import Float32Array, Tensor, Weight


class ReferenceElementwiseOps(StepOps):
    """Activations, sums and products."""

    def silu_mul(self, gate: Tensor, up: Tensor) -> Values:
        """``silu(gate) * up``."""
        g = as_array(gate)
        return Values(g / (1 + np.exp(-g)) * as_array(up))

    def swiglu_oai(self, gate: Tensor, up: Tensor) -> Values:
        """The clamped SwiGLU of gpt-oss."""
        g = np.minimum(as_array(gate), np.float32(7))
        u = np.clip(as_array(up), np.float32(-7), np.float32(7))
        return Values(g / (1 + np.exp(np.float32(-1.702) * g)) * (u + 1))

    def sigmoid_scale(self, x: Tensor, gate: Tensor) -> Values:
        """``sigmoid(gate) * x`` with one gate a row."""
        return Values(as_array(x) / (1 + np.exp(-as_array(gate))))

    def relu_mul(self, gate: Tensor, up: Tensor) -> Values:
        """``max(gate, 0) * up``."""
        return Values(np.maximum(as_array(gate), np.float32(0)) * as_array(up))

    def gelu_mul(self, gate: Tensor, up: Tensor) -> Values:
        """``gelu(gate) * up``."""
        return Values(_gelu(as_array(gate)) * as_array(up))

    def gelu(self, x: Tensor) -> Values:
        """The tanh form of GELU."""
        return Values(_gelu(as_array(x)))

    def exp(self, x: Tensor) -> Values:
        """``exp(x)``."""
        return Values(np.exp(as_array(x)))

    def silu(self, x: Tensor) -> Values:
        """``x / (1 + exp(-x))``."""
        return Values(as_array(x) / (1 + np.exp(-as_array(x))))

    def sigmoid(self, x: Tensor) -> Values:
        """``1 / (1 + exp(-x))``."""
        return Values(np.float32(1) / (1 + np.exp(-as_array(x))))

    def softplus(self, x: Tensor) -> Values:
        """``log(1 + exp(x))``."""
        return Values(np.asarray(np.logaddexp(np.float32(0), as_array(x)), np.float32))

    def relu_squared(self, x: Tensor) -> Values:
        """``max(x, 0)^2``."""
        return Values(np.square(np.maximum(as_array(x), np.float32(0))))

    def xielu(self, x: Tensor, alpha_p: float, alpha_n: float, beta: float, eps: float) -> Values:
        """The expanded integral of the exponential linear unit."""
        p, n, b = np.float32(alpha_p), np.float32(alpha_n), np.float32(beta)
        v = as_array(x)
        negative = n * (np.expm1(np.minimum(v, np.float32(eps))) - v) + b * v
        return Values(np.where(v > 0, p * v * v + b * v, negative))

    def add(self, x: Tensor, y: Tensor | Weight) -> Values:
        """``x + y``."""
        return Values(as_array(x) + (y.array if isinstance(y, Values) else as_vector(y)))

    def scale(self, x: Tensor, factor: float) -> Values:
        """``x * factor``."""
        return Values(as_array(x) * np.float32(factor))

    def multiply(self, x: Tensor, y: Tensor | Weight) -> Values:
        """``x * y``."""
        factors: Float32Array = y.array if isinstance(y, Values) else as_vector(y)
        return Values(as_array(x) * factors)

    def scale_rows(self, x: Tensor, factors: Tensor) -> Values:
        """``x * factors``."""
        rows = as_array(x)
        runs = rows.reshape(len(rows), factors.n_columns, -1) * as_array(factors)[:, :, None]
        return Values(runs.reshape(rows.shape))

    def match_magnitude(self, x: Tensor, target: Tensor) -> Values:
        """Rows of x as long as those of `target`; the sums are taken in float64."""
        length, wanted = (
            np.sum(np.square(as_array(rows), dtype=np.float64), axis=-1, keepdims=True)
            for rows in (x, target)
        )
        return Values(as_array(x) * np.sqrt(wanted / length).astype(np.float32))

    def sparsify(self, x: Tensor, n_std: float) -> Values:
        """What exceeds the mean by `n_std` standard deviations; both are taken in float64."""
        rows = as_array(x).astype(np.float64)
        mean, std = rows.mean(axis=-1, keepdims=True), rows.std(axis=-1, ddof=1, keepdims=True)
        return Values(np.maximum(rows - (mean + n_std * std), 0).astype(np.float32))

    def clamp(self, x: Tensor, limit: float) -> Values:
        """``min(max(x, -limit), limit)``."""
        return Values(np.clip(as_array(x), np.float32(-limit), np.float32(limit)))

    def minimum(self, x: Tensor, limit: float) -> Values:
        """``min(x, limit)``."""
        return Values(np.minimum(as_array(x), np.float32(limit)))

    def softmax(self, x: Tensor) -> Values:
        """The share of each column's exponential in the sum of its row."""
        rows = as_array(x)
        grown = np.exp(rows - rows.max(axis=-1, keepdims=True))
        return Values(grown / grown.sum(axis=-1, keepdims=True))

    def softcap(self, x: Tensor, cap: float) -> Values:
        """``cap * tanh(x / cap)``."""
        return Values(np.float32(cap) * np.tanh(as_array(x) / np.float32(cap)))


def _gelu(x: Float32Array) -> Float32Array:
    inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x * x * x)
    y: Float32Array = np.float32(0.5) * x * (1 + np.tanh(inner))
    return y
