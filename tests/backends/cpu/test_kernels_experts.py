"""Matrix products of experts, of every weight type, against NumPy in float64 on dequantized weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from helpers.cpu import (
    Build,
    Floats,
    PoisonedExecutor,
    assert_close,
    cpu_backend,
    cpu_rows,
    flat_batch,
    randn,
    reference_rows,
    runs_here,
    tensor,
    type_name,
)
from helpers.eight_bits import eight_bits
from helpers.experts import logits_for, random_experts
from helpers.weights import FLOAT_TYPES
from numpy.typing import NDArray

from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.target import TARGETS
from rushlight.backends.routing import Routing
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.gguf.types import BLOCK_SIZES
from rushlight.quants import dequantize

N_EXPERT, N_USED = 5, 2
TOLERANCE = 1e-5
N_TOKENS = 70


def column_counts(type: GGMLType) -> tuple[int, ...]:
    if type in FLOAT_TYPES:
        return 1, 33
    return (32, 288) if BLOCK_SIZES[type].values == 32 else (256, 512)


def random_ids(n_tokens: int, n_expert: int = N_EXPERT, n_used: int = N_USED) -> list[list[int]]:
    rng = np.random.default_rng(n_tokens)
    return [rng.permutation(n_expert)[:n_used].tolist() for _ in range(n_tokens)]


def products(weight: GGUFTensor, bias: Floats | None = None) -> Build:
    """Rows hold the router's logits, then one input, or one for each expert of a row."""
    n_expert = weight.shape[0]

    def build(backend: Any) -> Any:
        matrices = backend.experts(weight)
        vector = None if bias is None else backend.vector(tensor(bias))
        routing = Routing(N_USED)

        def forward(ops: Any, x: Any) -> Any:
            routes = ops.route(x.columns(0, n_expert), routing)
            return ops.experts(x.columns(n_expert, x.n_columns), matrices, routes, vector)

        return forward

    return build


def expected(
    x: Floats, ids: Sequence[Sequence[int]], weight: GGUFTensor, bias: Floats | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The products of x [T, N_USED or 1, K], and how far float32 sums may lie from them: [T, N_USED * N]."""
    values = dequantize(weight.raw, weight.type).astype(np.float64)
    n_tokens, n_inputs, k = x.shape
    flat = x.reshape(-1, k)
    a = (
        flat.astype(np.float64)
        if weight.type in FLOAT_TYPES
        else eight_bits(flat, LAYOUTS[weight.type.name.lower()].activation_columns).values
    )
    a = np.broadcast_to(a.reshape(n_tokens, n_inputs, k), (n_tokens, N_USED, k))
    chosen = values[np.array(ids)]
    exact = np.einsum("tuk,tunk->tun", a, chosen)
    bound = np.abs(a).sum(axis=2)[:, :, None] * np.abs(chosen).max(axis=3)
    if bias is not None:
        own = bias.reshape(values.shape[:2])[np.array(ids)]
        exact, bound = exact + own, bound + np.abs(own)
    return exact.reshape(n_tokens, -1), TOLERANCE * bound.reshape(n_tokens, -1)


@pytest.mark.parametrize("type", GGMLType, ids=type_name)
@pytest.mark.parametrize("n", [1, 16, 77])
def test_every_type_on_odd_shapes(type: GGMLType, n: int) -> None:
    for k in column_counts(type):
        weight = random_experts(type, N_EXPERT, n, k, seed=n)
        bias, ids = randn(N_EXPERT * n, seed=1), random_ids(N_TOKENS)
        x = np.concatenate([logits_for(ids, N_EXPERT), randn(N_TOKENS, k)], axis=1)
        exact, atol = expected(x[:, None, N_EXPERT:], ids, weight, bias)
        executor = PoisonedExecutor(products(weight, bias), x)
        for n_tokens in (1, 2, 3, 9, N_TOKENS):
            assert_close(executor.rows(n_tokens), exact[:n_tokens], atol[:n_tokens])
        executor.close()
        assert_close(
            reference_rows(products(weight, bias), x), exact, np.maximum(atol, 0.03 * np.abs(exact).max())
        )


@pytest.mark.parametrize("type", [GGMLType.F32, GGMLType.Q8_0, GGMLType.Q4_K], ids=type_name)
def test_inputs_of_each_expert(type: GGMLType) -> None:
    weight, ids = random_experts(type, N_EXPERT, 24, 256), random_ids(N_TOKENS)
    x = np.concatenate([logits_for(ids, N_EXPERT), randn(N_TOKENS, N_USED * 256)], axis=1)
    exact, atol = expected(x[:, N_EXPERT:].reshape(N_TOKENS, N_USED, 256), ids, weight)
    assert_close(cpu_rows(products(weight), x), exact, atol)


@pytest.mark.parametrize("type", GGMLType, ids=type_name)
def test_one_row_gives_the_bits_that_it_gives_among_many(type: GGMLType) -> None:
    """However many rows go to an expert: none, one, a part of a tile, tiles, several runs."""
    ids = [[0, 1]] * 140 + [[2, 0]] * 2 + [[0, 3]] * 9 + [[3, 2]]
    x = np.concatenate([logits_for(ids, N_EXPERT), randn(len(ids), 256)], axis=1)
    executor = PoisonedExecutor(products(random_experts(type, N_EXPERT, 40, 256)), x)
    together = executor.rows(len(ids))
    for row in (0, 1, 63, 64, 139, 140, 141, 142, 150, 151):
        np.testing.assert_array_equal(executor.step(flat_batch([row]))[0], together[row])
    for some in ([151, 3], [142, 1, 0], range(100, 111), range(136, 152)):
        np.testing.assert_array_equal(executor.step(flat_batch(some)), together[list(some)])
    executor.close()


def test_no_result_depends_on_the_number_of_threads() -> None:
    ids = random_ids(100)
    x = np.concatenate([logits_for(ids, N_EXPERT), randn(100, 256)], axis=1)
    build = products(random_experts(GGMLType.Q4_K, N_EXPERT, 200, 256))
    alone = cpu_rows(build, x)
    backend = CpuBackend(5)
    np.testing.assert_array_equal(cpu_rows(build, x, backend=backend), alone)
    backend.close()


@pytest.mark.parametrize("type", [GGMLType.F16, GGMLType.Q4_0, GGMLType.Q6_K], ids=type_name)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_target_gives_the_same_bits(target: Any, type: GGMLType) -> None:
    if not runs_here(target) or target == cpu_backend().target:
        pytest.skip("this processor's own target, or one that it does not run")
    ids = random_ids(30)
    x = np.concatenate([logits_for(ids, N_EXPERT), randn(30, 256)], axis=1)
    build = products(random_experts(type, N_EXPERT, 40, 256), randn(N_EXPERT * 40))
    backend = CpuBackend(1, target=target)
    np.testing.assert_array_equal(cpu_rows(build, x, backend=backend), cpu_rows(build, x))
    backend.close()


def test_outputs_only() -> None:
    """The last layer's experts run on the rows whose logits are wanted, down to none."""
    weight, ids = random_experts(GGMLType.Q8_0, N_EXPERT, 19, 64), random_ids(65)
    x = np.concatenate([logits_for(ids, N_EXPERT), randn(65, 64)], axis=1)
    every = cpu_rows(products(weight), x)

    def build(backend: Any) -> Any:
        forward = products(weight)(backend)
        return lambda ops, x: forward(ops, ops.outputs(x))

    executor = PoisonedExecutor(build, x)
    for outputs in ([64], [0, 3, 5, 60, 61], list(range(65)), []):
        found = executor.step(flat_batch(range(65), outputs=outputs))
        np.testing.assert_array_equal(found, every[outputs])
    executor.close()


def test_experts_that_are_rows_of_a_larger_tensor() -> None:
    """A file may hold gate and up of each expert in one tensor."""
    both, ids = random_experts(GGMLType.Q5_1, N_EXPERT, 48, 64), random_ids(20)
    x = np.concatenate([logits_for(ids, N_EXPERT), randn(20, 64)], axis=1)
    whole = cpu_rows(products(both), x).reshape(20, N_USED, 48)
    for rows in (slice(0, 17), slice(17, 48)):
        raw = both.raw[:, rows]
        part = GGUFTensor(both.name, (N_EXPERT, raw.shape[1], 64), both.type, raw)
        found = cpu_rows(products(part), x).reshape(20, N_USED, -1)
        np.testing.assert_array_equal(found, whole[:, :, rows])


@pytest.mark.parametrize("type", [GGMLType.F32, GGMLType.Q4_1], ids=type_name)
def test_a_row_that_is_not_finite_leaves_the_others_alone(type: GGMLType) -> None:
    ids = [[1, 2]] * 8
    x = np.concatenate([logits_for(ids, N_EXPERT), randn(8, 64)], axis=1)
    build = products(random_experts(type, N_EXPERT, 17, 64))
    clean = cpu_rows(build, x)
    x[2, N_EXPERT + 3], x[5, N_EXPERT + 1] = np.nan, np.inf
    executor = PoisonedExecutor(build, x)
    found = executor.executor.step(flat_batch(range(8)))
    others = [0, 1, 3, 4, 6, 7]
    np.testing.assert_array_equal(found[others], clean[others])
    assert not np.isfinite(found[[2, 5]]).any()
    executor.close()


@pytest.mark.parametrize(
    "shape", [(N_EXPERT, 16, 32), (N_EXPERT, 16, 3)], ids=["other columns", "no multiple of the columns"]
)
def test_inputs_of_another_width_are_refused(shape: tuple[int, int, int]) -> None:
    x = randn(2, N_EXPERT + 31)
    with pytest.raises(ValueError, match="experts"):
        cpu_rows(products(tensor(np.zeros(shape))), x)
