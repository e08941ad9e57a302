"""Which experts a row chooses, and the weighted sum of what they give, on both backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.cpu import Build, Floats, assert_close, cpu_rows, randn, reference_rows, tensor
from helpers.experts import route_one
from numpy.typing import NDArray

from rushlight.backends.routing import Routing

Rows = Callable[[Build, Floats], Floats]
BACKENDS = [pytest.param(cpu_rows, id="cpu"), pytest.param(reference_rows, id="reference")]
ROUTINGS = {
    "mixtral": (8, Routing(2)),
    "qwen2moe": (60, Routing(4, normalize=False)),
    "qwen3moe": (128, Routing(8)),
    "scaled": (17, Routing(3, scale=2.5)),
    "gpt-oss": (32, Routing(4, "softmax_selected", normalize=False)),
    "sigmoid": (24, Routing(5, "sigmoid")),
    "groups": (256, Routing(8, "sigmoid", scale=2.5, n_group=8, n_group_used=4)),
    "pairs": (6, Routing(2, "softmax", n_group=3, n_group_used=1)),
    "one": (1, Routing(1)),
    "all": (5, Routing(5, "softmax_selected")),
}


def ids_and_weights(
    rows: Rows, logits: Floats, routing: Routing, bias: Floats | None, scales: Floats | None = None
) -> tuple[Any, Floats]:
    """Expert e is made to give e; the weights come out of a sum of unit vectors."""
    n_expert, n_used = logits.shape[1], routing.n_used
    units = np.tile(np.eye(n_used, dtype=np.float32).reshape(-1), (len(logits), 1))
    x = np.concatenate([logits, np.ones((len(logits), 1), np.float32), units], axis=1)

    def build(weights: bool) -> Build:
        def with_backend(backend: Any) -> Any:
            numbered = backend.experts(tensor(np.arange(n_expert).reshape(-1, 1, 1)))
            vectors = [None if v is None else backend.vector(tensor(v)) for v in (bias, scales)]

            def forward(ops: Any, x: Any) -> Any:
                routes = ops.route(x.columns(0, n_expert), routing, *vectors)
                if weights:
                    return ops.combine(x.columns(n_expert + 1, x.n_columns), routes)
                return ops.experts(x.columns(n_expert, n_expert + 1), numbered, routes)

            return forward

        return with_backend

    return rows(build(False), x), rows(build(True), x)


def check(
    rows: Rows, logits: Floats, routing: Routing, bias: Floats | None = None, atol: float = 1e-6
) -> NDArray[np.int64]:
    ids, weights = ids_and_weights(rows, logits, routing, bias)
    expected = [route_one(row, routing, None if bias is None else bias.tolist()) for row in logits.tolist()]
    np.testing.assert_array_equal(ids, [[e for e, _ in row] for row in expected])
    assert_close(weights, np.array([[w for _, w in row] for row in expected]), atol, rtol=1e-5)
    return ids.astype(np.int64)


@pytest.mark.parametrize("rows", BACKENDS)
@pytest.mark.parametrize("name", ROUTINGS)
@pytest.mark.parametrize("biased", [False, True])
def test_experts_and_weights(rows: Rows, name: str, biased: bool) -> None:
    n_expert, routing = ROUTINGS[name]
    bias = randn(n_expert, seed=7) / 4 if biased else None
    check(rows, 2 * randn(67, n_expert), routing, bias)


@pytest.mark.parametrize("rows", BACKENDS)
def test_equal_scores_choose_the_lower_index(rows: Rows) -> None:
    few = np.random.default_rng(1).integers(0, 3, (200, 40)).astype(np.float32)
    ids = check(rows, few, Routing(6))
    assert (ids[:, 0] == few.argmax(axis=1)).all()
    check(rows, np.zeros((3, 12), np.float32), Routing(2, "sigmoid", n_group=3, n_group_used=2))
    underflown = np.where(np.arange(20) == 13, 0, -200 - np.arange(20))[None, :].astype(np.float32)
    assert check(rows, underflown, Routing(3)).tolist() == [[13, 0, 1]]


@pytest.mark.parametrize("rows", BACKENDS)
@pytest.mark.parametrize("shift", [0.0, -3.0, 5.0])
def test_a_sparse_mixer_weighs_each_choice_against_those_near_it(rows: Rows, shift: float) -> None:
    routing = Routing(3, "sparse_mixer", normalize=False)
    logits = randn(97, 21) / 16 + np.float32(shift)
    check(rows, logits, routing)
    weights = np.array([[w for _, w in route_one(row, routing, None)] for row in logits.tolist()])
    assert (weights < 0.9).any() and (weights.sum(axis=1) > 1.1).any()


@pytest.mark.parametrize("rows", BACKENDS)
def test_a_bias_chooses_and_does_not_weigh(rows: Rows) -> None:
    logits, bias = np.zeros((1, 8), np.float32), np.zeros(8, np.float32)
    bias[[3, 6]] = 5.0, 9.0
    ids, weights = ids_and_weights(rows, logits, Routing(2, "sigmoid"), bias)
    assert ids.tolist() == [[6, 3]]
    assert weights.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("rows", BACKENDS)
def test_weights_are_scaled_by_expert_in_the_end(rows: Rows) -> None:
    logits, scales = randn(9, 7), np.arange(7, dtype=np.float32) - 2
    routing = Routing(3, "sigmoid", scale=1.5)
    ids, plain = ids_and_weights(rows, logits, routing, None)
    scaled_ids, scaled = ids_and_weights(rows, logits, routing, None, scales)
    np.testing.assert_array_equal(scaled_ids, ids)
    np.testing.assert_array_equal(scaled, plain * scales[ids.astype(np.int64)])


@pytest.mark.parametrize("rows", BACKENDS)
def test_weights_that_vanish_are_not_blown_up(rows: Rows) -> None:
    logits = np.full((1, 4), -20, np.float32)
    check(rows, logits, Routing(2, "sigmoid"), atol=1e-9)


@pytest.mark.parametrize("rows", BACKENDS)
def test_a_row_that_is_not_finite_uses_the_first_experts_and_leaves_the_others_alone(rows: Rows) -> None:
    logits = randn(5, 9)
    clean = ids_and_weights(rows, logits, Routing(3), None)
    logits[1, 4], logits[3, 8] = np.nan, np.inf
    ids, weights = ids_and_weights(rows, logits, Routing(3), None)
    np.testing.assert_array_equal(ids[[1, 3]], [[0, 1, 2]] * 2)
    assert np.isnan(weights[[1, 3]]).all()
    for found, before in zip((ids, weights), clean, strict=True):
        np.testing.assert_array_equal(found[[0, 2, 4]], before[[0, 2, 4]])


@pytest.mark.parametrize("n_columns", [1, 16, 21, 100])
def test_the_weighted_sum(n_columns: int) -> None:
    routing, logits = Routing(3, scale=1.5), randn(40, 7)
    x = np.concatenate([logits, randn(40, 3 * n_columns, seed=2)], axis=1)

    def build(backend: Any) -> Any:
        return lambda ops, x: ops.combine(x.columns(7, x.n_columns), ops.route(x.columns(0, 7), routing))

    weights = np.array([[w for _, w in route_one(row, routing, None)] for row in logits.tolist()])
    expected = (x[:, 7:].reshape(40, 3, -1) * weights[:, :, None]).sum(axis=1)
    for rows in (cpu_rows, reference_rows):
        assert_close(rows(build, x), expected, 1e-5)


@pytest.mark.parametrize(
    "routing",
    [
        Routing(0),
        Routing(9),
        Routing(2, "other"),
        Routing(2, n_group=3),
        Routing(2, n_group=8, n_group_used=2),
    ],
)
def test_routings_that_do_not_fit_are_refused(routing: Routing) -> None:
    def build(backend: Any) -> Any:
        return lambda ops, x: ops.combine(x, ops.route(x, routing))

    for rows in (cpu_rows, reference_rows):
        with pytest.raises(ValueError, match="8 experts"):
            rows(build, randn(1, 8))
