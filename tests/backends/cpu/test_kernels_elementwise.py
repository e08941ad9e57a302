"""Element by element against float64, over the whole range of float32 where the function needs care."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.activations import gelu, silu, two_halves, whole
from helpers.cpu import (
    N_CTX,
    TOKEN_COUNTS,
    Build,
    Floats,
    PoisonedExecutor,
    assert_close,
    cpu_backend,
    cpu_rows,
    flat_batch,
    randn,
    reference_rows,
    tensor,
)

from rushlight.errors import InvalidParameter


def hard_numbers() -> Floats:
    """Every size that float32 has, both zeros, subnormals, and each side of where exp leaves its range."""
    tiny = np.finfo(np.float32).tiny
    sizes = np.concatenate([np.logspace(-44, 2, 400), np.linspace(0, 20, 1001), np.linspace(80, 95, 301)])
    edges = np.array([0.0, 1e-45, tiny, tiny / 2, 1, 87, 88, 88.72, 88.73, 200, 1000])
    numbers = np.concatenate([edges, sizes]).astype(np.float32)
    return np.concatenate([numbers, -numbers])


@pytest.mark.parametrize("n", [1, 15, 16, 17, 33, 100])
@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("exp", np.exp),
        ("silu", silu),
        ("sigmoid", lambda x: np.exp(-np.logaddexp(0, -x))),
        ("softplus", lambda x: np.logaddexp(0, x)),
    ],
)
def test_functions_of_the_logistic_family(name: str, exact: Callable[..., Any], n: int) -> None:
    x = 9 * randn(max(TOKEN_COUNTS), n)
    executor = PoisonedExecutor(whole(name), x)
    for n_tokens in TOKEN_COUNTS:
        assert_close(executor.rows(n_tokens), exact(x[:n_tokens].astype(np.float64)), atol=1e-30, rtol=6e-7)
    executor.close()


@pytest.mark.parametrize("name", ["silu", "sigmoid", "softplus"])
def test_the_logistic_family_over_all_of_float32(name: str) -> None:
    x = hard_numbers()[:, None]
    with np.errstate(over="ignore", under="ignore"):
        expected = reference_rows(whole(name), x)
    # The exponential ends at 88 on both sides.
    assert_close(cpu_rows(whole(name), x), expected, atol=1e-35, rtol=1e-6)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 33, 100])
def test_gelu(n: int) -> None:
    x = 3 * randn(max(TOKEN_COUNTS), n)
    executor = PoisonedExecutor(whole("gelu"), x)
    for n_tokens in TOKEN_COUNTS:
        assert_close(executor.rows(n_tokens), gelu(x[:n_tokens].astype(np.float64)), atol=1e-6, rtol=5e-7)
    executor.close()


@pytest.mark.parametrize("n", [1, 15, 16, 17, 33, 100])
@pytest.mark.parametrize("name", ["relu_squared", "scale", "clamp", "minimum", "softcap"])
def test_one_operand(name: str, n: int) -> None:
    x = 3 * randn(max(TOKEN_COUNTS), n)
    scalars = () if name == "relu_squared" else (2.5,)
    expected = reference_rows(whole(name, *scalars), x)
    executor = PoisonedExecutor(whole(name, *scalars), x)
    for n_tokens in TOKEN_COUNTS:
        found = executor.rows(n_tokens)
        if name == "softcap":
            # 1 - 2 / (e**2x + 1) cancels near 0: what is lost is a part of the cap.
            assert_close(found, expected[:n_tokens], atol=2.5 * 2e-7, rtol=3e-7)
        else:
            np.testing.assert_array_equal(found, expected[:n_tokens])
    executor.close()


@pytest.mark.parametrize("n", [1, 15, 16, 17, 33, 100])
def test_xielu(n: int) -> None:
    x = 3 * randn(max(TOKEN_COUNTS), n)
    scalars = (0.8, 1.3, 0.5, -0.1)
    expected = reference_rows(whole("xielu", *scalars), x)
    executor = PoisonedExecutor(whole("xielu", *scalars), x)
    for n_tokens in TOKEN_COUNTS:
        assert_close(executor.rows(n_tokens), expected[:n_tokens], atol=6e-7, rtol=3e-7)
    executor.close()


@pytest.mark.parametrize("n", [1, 15, 16, 17, 100])
def test_embeddings_of_positions(n: int) -> None:
    x, values = randn(max(TOKEN_COUNTS), n), randn(N_CTX, n, seed=1)

    def build(n_positions: int) -> Build:
        def with_backend(backend: Any) -> Any:
            table = backend.embedding(tensor(values[:n_positions]))
            return lambda ops, y: ops.add(y, ops.embed_positions(table))

        return with_backend

    executor = PoisonedExecutor(build(N_CTX), x)
    for n_tokens in TOKEN_COUNTS:
        for start in (0, 1, N_CTX - n_tokens):
            expected = x[:n_tokens] + values[start : start + n_tokens]
            np.testing.assert_array_equal(executor.rows(n_tokens, start), expected)
    executor.close()
    with pytest.raises(InvalidParameter, match="300 positions"):
        PoisonedExecutor(build(300), x)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 100])
def test_multiply_by_a_vector(n: int) -> None:
    x, vector = randn(max(TOKEN_COUNTS), n), randn(n, seed=1)

    def build(backend: Any) -> Any:
        weight = backend.vector(tensor(vector))
        return lambda ops, y: ops.multiply(y, weight)

    executor = PoisonedExecutor(build, x)
    for n_tokens in TOKEN_COUNTS:
        np.testing.assert_array_equal(executor.rows(n_tokens), x[:n_tokens] * vector)
    executor.close()
    np.testing.assert_array_equal(reference_rows(build, x), x * vector)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 100])
@pytest.mark.parametrize("n_run", [1, 3])
def test_runs_of_rows_times_numbers_of_their_own(n: int, n_run: int) -> None:
    x = randn(max(TOKEN_COUNTS), n_run * n + 4)
    expected = x[:, 4:] * np.repeat(x[:, 1 : n_run + 1], n, axis=1)

    def build(backend: Any) -> Any:
        return lambda ops, y: ops.scale_rows(y.columns(4, y.n_columns), y.columns(1, n_run + 1))

    executor = PoisonedExecutor(build, x)
    for n_tokens in TOKEN_COUNTS:
        np.testing.assert_array_equal(executor.rows(n_tokens), expected[:n_tokens])
    executor.close()
    np.testing.assert_array_equal(reference_rows(build, x), expected)


def test_softcap_over_the_whole_range() -> None:
    x = hard_numbers()
    exact = 30 * np.tanh(x.astype(np.float64) / 30)
    found = cpu_rows(whole("softcap", 30.0), x[None])[0]
    assert_close(found, exact, atol=30 * 2e-7)
    assert (np.abs(found) <= 30).all()


def test_relu_squared_keeps_nothing_below_0() -> None:
    x = hard_numbers()
    found = cpu_rows(whole("relu_squared"), x[None])[0]
    assert (found[x <= 0] == 0).all()
    np.testing.assert_array_equal(found[x > 0], x[x > 0] * x[x > 0])


def test_add_is_one_rounding() -> None:
    x = randn(7, 90)
    np.testing.assert_array_equal(cpu_rows(two_halves("add"), x), x[:, :45] + x[:, 45:])


def test_silu_over_the_whole_range() -> None:
    """To 4 units in the last place wherever ``exp(-x)`` is a normal float32; beyond, within 1e-35 of 0."""
    x = hard_numbers()
    found = cpu_rows(two_halves("silu_mul"), np.concatenate([x, np.ones_like(x)])[None])[0]
    assert_close(found, silu(x.astype(np.float64)), atol=1e-35, rtol=5e-7)
    assert found[(x > 17)].tolist() == x[x > 17].tolist()
    np.testing.assert_array_equal(np.signbit(found), np.signbit(x))


def test_gelu_over_the_whole_range() -> None:
    """To some units in the last place everywhere: the form in use lets nothing cancel."""
    x = hard_numbers()
    x = x[np.abs(x) <= 1000]
    found = cpu_rows(whole("gelu"), x[None])[0]
    exact = gelu(x.astype(np.float64))
    # exp ends at e**88, which leaves up to 1e-38 of x where the exact value is smaller still.
    assert_close(found, exact, atol=1e-38 * np.maximum(np.abs(x), 1), rtol=1e-5)
    assert_close(found[x > -2], exact[x > -2], atol=1e-44, rtol=1e-6)


def test_no_number_depends_on_its_neighbours() -> None:
    """Infinity and NaN stay in their own elements, in every lane of a vector."""
    x = randn(3, 100)
    clean = {name: cpu_rows(two_halves(name), x) for name in ("add", "silu_mul", "gelu_mul")}
    x[0, 3], x[1, 16], x[2, 49] = np.nan, np.inf, np.nan
    for name, expected in clean.items():
        executor = PoisonedExecutor(two_halves(name), x)
        found = executor.executor.step(flat_batch(range(3))).copy()
        assert not np.isfinite(found[[0, 1, 2], [3, 16, 49]]).any()
        found[[0, 1, 2], [3, 16, 49]] = expected[[0, 1, 2], [3, 16, 49]]
        np.testing.assert_array_equal(found, expected)
        executor.close()


@pytest.mark.parametrize("n", [1, 15, 16, 17, 48, 100])
def test_outputs_copies_rows(n: int) -> None:
    x = randn(max(TOKEN_COUNTS), n + 5)
    executor = PoisonedExecutor(lambda backend: lambda ops, y: ops.outputs(y.columns(5, n + 5)), x)
    rng = np.random.default_rng(0)
    for n_tokens in TOKEN_COUNTS:
        for n_outputs in {0, 1, n_tokens // 2, n_tokens}:
            chosen = sorted(rng.permutation(n_tokens)[:n_outputs].tolist())
            found = executor.step(flat_batch(range(n_tokens), outputs=chosen))
            np.testing.assert_array_equal(found, x[chosen, 5:])
    executor.close()


def test_embeddings_are_scaled() -> None:
    x = randn(9, 20)

    def build(backend: Any) -> Any:
        return lambda ops, y: ops.add(ops.embed(table, scale=4.5), y)

    table = cpu_backend().embedding(tensor(x))
    np.testing.assert_array_equal(cpu_rows(build, x), x * np.float32(4.5) + x)
