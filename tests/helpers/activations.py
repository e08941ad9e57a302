"""Activations in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers.cpu import (
    Build,
)
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def silu(x: Doubles) -> Doubles:
    # The form that does not overflow on the side that is computed.
    e = np.exp(-np.abs(x))
    return x * np.where(x >= 0, 1, e) / (1 + e)


def gelu(x: Doubles) -> Doubles:
    """``0.5 x (1 + tanh u)``, written as ``x / (1 + e**-2u)``, which is the same and loses no digits."""
    u = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-2 * u))


def two_halves(name: str) -> Build:
    """An op on the first and the second half of the columns."""

    def build(backend: Any) -> Any:
        def run(ops: Any, x: Any) -> Any:
            half = x.n_columns // 2
            return getattr(ops, name)(x.columns(0, half), x.columns(half, 2 * half))

        return run

    return build


def whole(name: str, *scalars: float) -> Build:
    return lambda backend: lambda ops, x: getattr(ops, name)(x, *scalars)
