"""Norms against NumPy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.cpu import (
    TOKEN_COUNTS,
    Build,
    Floats,
    PoisonedExecutor,
    assert_close,
    cpu_rows,
    randn,
    reference_rows,
    tensor,
)
from numpy.typing import NDArray

from rushlight.gguf import GGMLType, GGUFTensor


def rms_norm(weight: Floats | None, eps: float, n_group: int) -> Build:
    def build(backend: Any) -> Any:
        vector = None if weight is None else backend.vector(tensor(weight))
        return lambda ops, x: ops.rms_norm(x, vector, eps, n_group)

    return build


def quantized_rows(n: int, k: int) -> GGUFTensor:
    return tensor(randn(n, k, seed=3), GGMLType.Q8_0)


def layer_norm(weight: Floats | None, bias: Floats | None, eps: float, n_group: int = 1) -> Build:
    def build(backend: Any) -> Any:
        vectors = [None if v is None else backend.vector(tensor(v)) for v in (weight, bias)]
        return lambda ops, x: ops.layer_norm(x, *vectors, eps, n_group)

    return build


def exact_rms_norm(x: Floats, weight: Floats, eps: float, n_group: int) -> NDArray[np.float64]:
    groups = x.astype(np.float64).reshape(len(x), n_group, -1)
    return (groups / np.sqrt((groups**2).mean(-1, keepdims=True) + eps) * weight).reshape(x.shape)


def exact_layer_norm(x: Floats, weight: Floats, bias: Floats | None, eps: float) -> NDArray[np.float64]:
    centred = x.astype(np.float64) - x.astype(np.float64).mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps) * weight
    return scaled if bias is None else scaled + bias


@pytest.mark.parametrize("n_group", [1, 3, 4])
@pytest.mark.parametrize("n", [1, 8, 15, 16, 17, 64, 96, 100, 576])
def test_rms_norm(n: int, n_group: int) -> None:
    x, weight = 3 * randn(max(TOKEN_COUNTS), n * n_group), randn(n, seed=1)
    executor = PoisonedExecutor(rms_norm(weight, 1e-5, n_group), x)
    expected = exact_rms_norm(x, weight, 1e-5, n_group)
    for n_tokens in TOKEN_COUNTS:
        assert_close(executor.rows(n_tokens), expected[:n_tokens], atol=1e-7, rtol=1e-6)
    executor.close()


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("n", [1, 8, 15, 16, 17, 100, 576])
def test_layer_norm(n: int, biased: bool) -> None:
    x, weight = 3 * randn(max(TOKEN_COUNTS), n) - 2, randn(n, seed=1)
    bias = randn(n, seed=2) if biased else None
    executor = PoisonedExecutor(layer_norm(weight, bias, 1e-5), x)
    expected = exact_layer_norm(x, weight, bias, 1e-5)
    for n_tokens in TOKEN_COUNTS:
        assert_close(executor.rows(n_tokens), expected[:n_tokens], atol=3e-6, rtol=1e-6)
    executor.close()


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("n_group", [2, 3])
@pytest.mark.parametrize("n", [1, 8, 15, 16, 17, 64])
def test_layer_norm_of_groups_with_weights_of_their_own(n: int, n_group: int, biased: bool) -> None:
    x, weight = 3 * randn(7, n * n_group) - 2, randn(n * n_group, seed=1)
    bias = randn(n * n_group, seed=2) if biased else None
    found = cpu_rows(layer_norm(weight, bias, 1e-5, n_group), x)
    runs = [slice(n * g, n * g + n) for g in range(n_group)]
    own = [None if bias is None else bias[run] for run in runs]
    exact = [exact_layer_norm(x[:, run], weight[run], b, 1e-5) for run, b in zip(runs, own, strict=True)]
    assert_close(found, np.concatenate(exact, axis=1), atol=3e-6, rtol=1e-6)
    assert_close(reference_rows(layer_norm(weight, bias, 1e-5, n_group), x), found, atol=3e-6, rtol=1e-6)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 100])
def test_rms_norm_without_weights(n: int) -> None:
    x = 3 * randn(7, 3 * n) - 2
    found = cpu_rows(rms_norm(None, 1e-5, 3), x)
    np.testing.assert_array_equal(found, cpu_rows(rms_norm(np.ones(n, np.float32), 1e-5, 3), x))
    assert_close(reference_rows(rms_norm(None, 1e-5, 3), x), found, atol=1e-7, rtol=1e-6)


def test_a_norm_without_weights_is_not_fused() -> None:
    """The fused kernel has weights; the same rows come out as with weights of 1."""
    x, matrix = randn(5, 64), quantized_rows(7, 64)

    def build(weight: Floats | None) -> Build:
        def with_backend(backend: Any) -> Any:
            vector = None if weight is None else backend.vector(tensor(weight))
            linear = backend.matrix(matrix)
            return lambda ops, y: ops.linear(ops.rms_norm(y, vector, 1e-5), linear)

        return with_backend

    np.testing.assert_array_equal(cpu_rows(build(None), x), cpu_rows(build(np.ones(64, np.float32)), x))


@pytest.mark.parametrize("n", [1, 15, 16, 17, 100])
def test_layer_norm_without_weights(n: int) -> None:
    x = 3 * randn(7, n) - 2
    found = cpu_rows(layer_norm(None, None, 1e-5), x)
    np.testing.assert_array_equal(found, cpu_rows(layer_norm(np.ones(n, np.float32), None, 1e-5), x))
    assert_close(reference_rows(layer_norm(None, None, 1e-5), x), found, atol=3e-6, rtol=1e-6)


def pairs_of_rows(name: str) -> Build:
    """An op on the first and the second half of the columns."""

    def build(backend: Any) -> Any:
        def run(ops: Any, x: Any) -> Any:
            half = x.n_columns // 2
            return getattr(ops, name)(x.columns(0, half), x.columns(half, 2 * half))

        return run

    return build


@pytest.mark.parametrize("n", [1, 15, 16, 17, 100])
def test_match_magnitude(n: int) -> None:
    x = randn(max(TOKEN_COUNTS), 2 * n)
    rows, target = x[:, :n].astype(np.float64), x[:, n:].astype(np.float64)
    lengths = np.linalg.norm(target, axis=1) / np.linalg.norm(rows, axis=1)
    executor = PoisonedExecutor(pairs_of_rows("match_magnitude"), x)
    for n_tokens in TOKEN_COUNTS:
        expected = (rows * lengths[:, None])[:n_tokens]
        assert_close(executor.rows(n_tokens), expected, atol=1e-7, rtol=1e-6)
    executor.close()
    assert_close(reference_rows(pairs_of_rows("match_magnitude"), x), rows * lengths[:, None], 1e-7, 1e-6)


@pytest.mark.parametrize("n", [2, 15, 16, 17, 100])
def test_sparsify(n: int) -> None:
    x = randn(max(TOKEN_COUNTS), n) + 2
    rows = x.astype(np.float64)
    cut = rows.mean(axis=1) + 0.6 * np.sqrt(((rows.T - rows.mean(axis=1)) ** 2).sum(axis=0) / (n - 1))
    expected = np.where(rows > cut[:, None], rows - cut[:, None], 0)

    def build(backend: Any) -> Any:
        return lambda ops, y: ops.sparsify(y, 0.6)

    executor = PoisonedExecutor(build, x)
    for n_tokens in TOKEN_COUNTS:
        assert_close(executor.rows(n_tokens), expected[:n_tokens], atol=2e-6)
    executor.close()
    assert_close(reference_rows(build, x), expected, atol=2e-6)


def test_a_mean_far_from_zero_is_taken_off_before_squares_are_summed() -> None:
    """In one pass, E[x^2] - E[x]^2 would keep no digit here, and lanes past the row would count as -mean."""
    x, weight = (randn(5, 37) + 4096).astype(np.float32), np.ones(37, np.float32)
    found = cpu_rows(layer_norm(weight, None, 1e-5), x)
    # The mean itself is rounded at 4096: 1/4096 of a standard deviation is what is left.
    assert_close(found, exact_layer_norm(x, weight, None, 1e-5), atol=2**-11)


@pytest.mark.parametrize("eps", [1e-6, 1e-5, 1.0])
def test_rows_without_variance(eps: float) -> None:
    x, weight, bias = np.zeros((4, 33), np.float32), randn(33), randn(33, seed=1)
    x[1], x[2], x[3] = 1e-20, 7.5, -1e-3
    assert_close(cpu_rows(rms_norm(weight, eps, 1), x), exact_rms_norm(x, weight, eps, 1), 1e-12, 1e-6)
    assert_close(cpu_rows(layer_norm(weight, bias, eps), x), np.tile(bias, (4, 1)), 1e-6)


def test_a_view_of_columns_agrees_with_the_reference() -> None:
    """Query heads behind other columns, as in a joint attn_qkv: rows begin where no vector is aligned."""
    x, weight = randn(9, 150), randn(24, seed=1)

    def build(backend: Any) -> Any:
        vector = backend.vector(tensor(weight))
        return lambda ops, y: ops.rms_norm(y.columns(29, 29 + 72), vector, 1e-6, n_group=3)

    assert_close(cpu_rows(build, x), reference_rows(build, x), atol=1e-6, rtol=1e-6)


def test_no_row_depends_on_its_neighbours() -> None:
    x, weight = randn(8, 45), randn(45, seed=1)
    norms = [rms_norm(weight, 1e-5, 1), layer_norm(weight, None, 1e-5)]
    clean = [cpu_rows(build, x) for build in norms]
    x[3], x[5, 7] = np.nan, np.inf
    for build, expected in zip(norms, clean, strict=True):
        found = cpu_rows(build, x)
        others = [0, 1, 2, 4, 6, 7]
        np.testing.assert_array_equal(found[others], expected[others])


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 31, 100])
def test_softmax(n: int) -> None:
    """Rows of small numbers, and of some whose exponentials would overflow or vanish."""
    x = randn(max(TOKEN_COUNTS), n) * np.float32([[1], [30], [300]])[np.arange(max(TOKEN_COUNTS)) % 3]
    x += np.float32([[0], [1e4], [-1e4]])[np.arange(max(TOKEN_COUNTS)) % 3]

    def build(backend: Any) -> Any:
        return lambda ops, y: ops.softmax(y)

    grown = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True).astype(np.float64))
    expected = grown / grown.sum(axis=1, keepdims=True)
    executor = PoisonedExecutor(build, x)
    for n_tokens in TOKEN_COUNTS:
        assert_close(executor.rows(n_tokens), expected[:n_tokens], atol=1e-30, rtol=1e-6)
    executor.close()
    assert_close(reference_rows(build, x), expected, atol=1e-30, rtol=1e-6)
