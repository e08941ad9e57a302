"""Attention with linear biases (ALiBi): a score falls with the distance, in each head at its own slope.

Source: Press et al. 2021, "Train Short, Test Long"; ``ggml_compute_forward_soft_max_f32`` in llama.cpp's
``ggml/src/ggml-cpu/ops.cpp``.
"""

from __future__ import annotations

from decimal import Context, Decimal

from rushlight.backends.base import Weight
from rushlight.models.weights import Weights

MAX_BIAS = 8.0
"""The largest bias of all architectures whose files do not name it (``attention.max_alibi_bias``)."""

_DECIMAL = Context(prec=40)


def alibi_slopes(n_head: int, max_bias: float) -> list[float]:
    """The slope of each of `n_head` heads.

    With P, the largest power of two that is at most `n_head`, the slopes of the first P heads are
    ``2^(-max_bias / P)`` to the powers 1 to P; those of the others are the odd powers of its square root.
    """
    largest = 1 << (n_head.bit_length() - 1)
    exponents = [h + 1.0 if h < largest else h - largest + 0.5 for h in range(n_head)]
    step = Decimal(-max_bias) / largest
    return [float(_DECIMAL.power(Decimal(2), _DECIMAL.multiply(step, Decimal(e)))) for e in exponents]


def slopes_of(weights: Weights, n_head: int, max_bias: float) -> Weight | None:
    """The slopes for `Ops.attention`; None where `max_bias` is 0, which stands for no ALiBi."""
    return weights.numbers(alibi_slopes(n_head, max_bias)) if max_bias else None
