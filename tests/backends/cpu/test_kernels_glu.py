"""Activations that gate another operand, against float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.activations import Doubles, gelu, silu, two_halves, whole
from helpers.cpu import (
    TOKEN_COUNTS,
    PoisonedExecutor,
    assert_close,
    cpu_rows,
    flat_batch,
    randn,
)


def swiglu_oai(x: Doubles, y: Doubles) -> Doubles:
    gate, up = np.minimum(x, 7), np.clip(y, -7, 7)
    return gate / (1 + np.exp(-1.702 * gate)) * (up + 1)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 33, 100])
@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("add", lambda x, y: x + y),
        ("multiply", lambda x, y: x * y),
        ("silu_mul", lambda x, y: silu(x) * y),
        ("relu_mul", lambda x, y: np.maximum(x, 0) * y),
        ("gelu_mul", lambda x, y: gelu(x) * y),
        ("swiglu_oai", swiglu_oai),
    ],
)
def test_two_operands(name: str, exact: Callable[..., Any], n: int) -> None:
    x = 3 * randn(max(TOKEN_COUNTS), 2 * n)
    expected = exact(x[:, :n].astype(np.float64), x[:, n:].astype(np.float64))
    # What 1 + tanh loses to cancellation in gelu is a part of x, not of the result.
    atol = 1e-6 + 2e-7 * np.abs(x[:, :n] * x[:, n:])
    executor = PoisonedExecutor(two_halves(name), x)
    for n_tokens in TOKEN_COUNTS:
        found = executor.rows(n_tokens)
        assert found.shape == (n_tokens, n)
        assert_close(found, expected[:n_tokens], atol[:n_tokens], rtol=5e-7)
    executor.close()


def test_swiglu_oai_is_clamped() -> None:
    """The gate from above, the other factor from both sides; infinities too, and NaN stays."""
    gates = np.float32([-200, -8, -7, 0, 6.5, 7, 7.5, 300, np.inf])
    ups = np.float32([-np.inf, -60, -7.5, -7, -6.5, 0, 7, 7.5, np.inf])
    x = np.concatenate([np.repeat(gates, 9), np.tile(ups, 9)])[None]
    found = cpu_rows(two_halves("swiglu_oai"), x)[0]
    with np.errstate(over="ignore"):
        exact = swiglu_oai(x[0, :81].astype(np.float64), x[0, 81:].astype(np.float64))
    assert_close(found, exact, atol=1e-6, rtol=1e-6)
    assert (exact.reshape(9, 9)[5:] == exact.reshape(9, 9)[5]).all()
    wrong = np.float32([[np.nan, 1, 1, np.nan]])
    executor = PoisonedExecutor(two_halves("swiglu_oai"), wrong)
    assert np.isnan(executor.executor.step(flat_batch([0]))).all()
    executor.close()


@pytest.mark.parametrize("n", [1, 15, 16, 17, 33, 100])
def test_one_gate_scales_a_row(n: int) -> None:
    x = 3 * randn(max(TOKEN_COUNTS), n + 1)

    def build(backend: Any) -> Any:
        return lambda ops, x: ops.sigmoid_scale(x.columns(1, n + 1), x.columns(0, 1))

    expected = x[:, 1:] / (1 + np.exp(-x[:, :1].astype(np.float64)))
    executor = PoisonedExecutor(build, x)
    for n_tokens in TOKEN_COUNTS:
        assert_close(executor.rows(n_tokens), expected[:n_tokens], atol=1e-6, rtol=5e-7)
    executor.close()


def test_gelu_mul_is_gelu_times_the_other() -> None:
    x = randn(5, 62)
    product = cpu_rows(whole("gelu"), np.ascontiguousarray(x[:, :31])) * x[:, 31:]
    np.testing.assert_array_equal(cpu_rows(two_halves("gelu_mul"), x), product)
