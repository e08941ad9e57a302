"""Columns of heads, and a matrix for each head."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.cpu import (
    Build,
    PoisonedExecutor,
    assert_close,
    cpu_rows,
    flat_batch,
    randn,
    reference_rows,
    tensor,
)
from helpers.eight_bits import eight_bits
from helpers.experts import random_experts

from rushlight.gguf import GGMLType
from rushlight.quants import dequantize


def columns(n_head: int, start: int, stop: int) -> Build:
    return lambda backend: lambda ops, x: ops.head_columns(x, n_head, start, stop)


def joined(n_head: int, split: int, one: bool) -> Build:
    def forward(ops: Any, x: Any) -> Any:
        return ops.join_heads(x.columns(0, split), x.columns(split, x.n_columns), n_head, one)

    return lambda backend: forward


@pytest.mark.parametrize(("n_head", "size", "start", "stop"), [(1, 5, 0, 5), (3, 24, 16, 24), (4, 40, 3, 37)])
def test_some_columns_of_each_head(n_head: int, size: int, start: int, stop: int) -> None:
    x = randn(40, n_head * size)
    expected = x.reshape(40, n_head, size)[:, :, start:stop].reshape(40, -1)
    for rows in (cpu_rows, reference_rows):
        np.testing.assert_array_equal(rows(columns(n_head, start, stop), x), expected)


@pytest.mark.parametrize("one", [False, True])
@pytest.mark.parametrize(("n_head", "left", "right"), [(1, 5, 3), (3, 16, 8), (4, 33, 17)])
def test_heads_side_by_side(n_head: int, left: int, right: int, one: bool) -> None:
    x, y = randn(40, n_head, left), randn(40, 1 if one else n_head, right, seed=1)
    both = np.concatenate([x.reshape(40, -1), y.reshape(40, -1)], axis=1)
    expected = np.concatenate([x, np.broadcast_to(y, (40, n_head, right))], axis=2).reshape(40, -1)
    for rows in (cpu_rows, reference_rows):
        np.testing.assert_array_equal(rows(joined(n_head, n_head * left, one), both), expected)


@pytest.mark.parametrize("type", [GGMLType.F32, GGMLType.Q8_0])
def test_each_head_has_a_matrix(type: GGMLType) -> None:
    weight, x = random_experts(type, 5, 40, 64), randn(130, 5 * 64)

    def build(backend: Any) -> Any:
        matrices = backend.experts(weight)
        return lambda ops, x: ops.add(ops.head_linear(x, matrices), ops.head_linear(x, matrices))

    values = dequantize(weight.raw, type).astype(np.float64)
    a = x.astype(np.float64) if type is GGMLType.F32 else eight_bits(x, 32).values
    expected = 2 * np.einsum("thk,hnk->thn", a.reshape(130, 5, 64), values).reshape(130, -1)
    executor = PoisonedExecutor(build, x)
    together = executor.rows(130)
    assert_close(together, expected, 1e-5 * np.abs(expected).max())
    for some in ([0], [129, 5], range(60, 70), range(2, 130)):
        np.testing.assert_array_equal(executor.step(flat_batch(some)), together[list(some)])
    executor.close()
    found = reference_rows(build, x)
    assert_close(found, expected, (1e-5 if type is GGMLType.F32 else 0.03) * np.abs(expected).max())


@pytest.mark.parametrize(
    "build",
    [columns(3, 0, 2), columns(2, 3, 9), columns(2, 3, 3), joined(3, 8, False), joined(2, 5, True)],
)
def test_heads_that_do_not_fit_are_refused(build: Build) -> None:
    with pytest.raises(ValueError, match="heads"):
        cpu_rows(build, randn(2, 16))


def test_a_matrix_for_other_heads_is_refused() -> None:
    def build(backend: Any) -> Any:
        matrices = backend.experts(tensor(np.zeros((3, 4, 8))))
        return lambda ops, x: ops.head_linear(x, matrices)

    with pytest.raises(ValueError, match="head_linear"):
        cpu_rows(build, randn(2, 16))
