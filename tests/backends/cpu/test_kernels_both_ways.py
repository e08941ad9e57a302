"""Attention that sees positions behind a token's own, and rows of whole sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.attention import Attention, Heads, reference_attention
from helpers.batches import Paging, Piece
from helpers.cpu import PoisonedExecutor, TableModel, assert_close, randn, table_limits, tensor

from rushlight.backends.cache import CacheLayout
from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.scratch import CHUNK
from rushlight.backends.reference import ReferenceBackend

IDS = np.random.default_rng(5).integers(0, 256, (4, 400)).tolist()
SLOPES = (0.5, 0.25, 0.125, 0.0625)


@pytest.mark.parametrize(
    ("window", "ahead"), [(0, 1024), (0, 1), (1, 7), (16, 15), (17, 16), (33, 99), (5, 40)]
)
def test_which_positions_are_seen(window: int, ahead: int) -> None:
    """Queries of 0 weigh every visible position alike, and value p is 1 in column p alone."""
    n = 100
    heads = Heads(2, 1, 16, 112, window=window, kv_dtype="f32", ahead=ahead)
    x = heads.table(n)
    q, _, v = heads.split(x)
    q[:], v[:] = 0, np.eye(n, 112)
    attention = Attention(heads, x, n_slots=1)
    found = attention.step([Piece(list(range(n)))]).reshape(n, 2, 112)
    attention.close()
    distance = np.arange(n)[:, None] - np.arange(112)
    seen = (distance >= -ahead) & (distance < (window or n)) & (np.arange(112) < n)
    for head in range(2):
        np.testing.assert_array_equal(found[:, head] != 0, seen)
        assert_close(found[:, head], seen / seen.sum(axis=1, keepdims=True), atol=1e-8)


@pytest.mark.parametrize(
    "heads",
    [
        Heads(4, 2, 24, ahead=1024),
        Heads(4, 1, 40, 16, window=20, ahead=19, softcap=9.0),
        Heads(4, 4, 8, ahead=1024, slopes=SLOPES),
    ],
    ids=str,
)
def test_threads_and_company_do_not_change_a_bit(heads: Heads) -> None:
    """A step of few tokens is split by positions, one of many is not."""
    x = heads.table()
    lengths = (7, 1, 65, 8)
    alone = []
    for slot, n in enumerate(lengths):
        attention = Attention(heads, x, seed=slot)
        alone.append(attention.step([Piece(IDS[slot][:n], 0, slot)]))
        attention.close()
    together = Attention(heads, x, seed=9, backend=CpuBackend(3))
    order = (2, 0, 3, 1)
    found = together.step([Piece(IDS[slot][: lengths[slot]], 0, slot) for slot in order])
    together.close()
    np.testing.assert_array_equal(found, np.concatenate([alone[slot] for slot in order]))


def test_many_chunks_of_positions() -> None:
    """Longer than two chunks, with windows that begin and end inside them, and a step of few tokens."""
    n = 2 * CHUNK + 40
    heads = Heads(2, 1, 16, window=CHUNK + 3, ahead=CHUNK - 5, kv_dtype="f32")
    x = heads.table(n)
    attention = Attention(heads, x, n_slots=1, backend=CpuBackend(2))
    reference, paging = reference_attention(heads, x)
    for piece in (Piece(list(range(n - 6))), Piece(list(range(n - 6, n)), n - 6)):
        assert_close(attention.step([piece]), reference.step(paging.batch([piece])), 4e-6)
    attention.close()


def test_a_distance_lowers_a_score_by_its_slope() -> None:
    """Queries of 0 leave the slopes alone to weigh positions: ``exp(-slope * distance)``, to both sides."""
    n = 60
    heads = Heads(4, 2, 16, 64, kv_dtype="f32", ahead=1024, slopes=SLOPES)
    x = heads.table(n)
    q, _, v = heads.split(x)
    q[:], v[:] = 0, np.tile(np.eye(n, 64), 2)
    attention = Attention(heads, x, n_slots=1)
    found = attention.step([Piece(list(range(n)))]).reshape(n, 4, 64)[:, :, :n]
    attention.close()
    distance = np.abs(np.arange(n)[:, None] - np.arange(n))
    for head, slope in enumerate(SLOPES):
        weights = np.exp(-slope * distance)
        assert_close(found[:, head], weights / weights.sum(axis=1, keepdims=True), atol=2e-7)


@pytest.mark.parametrize("n_columns", [1, 16, 37])
@pytest.mark.parametrize("name", ["sequence_first", "sequence_mean"])
def test_one_row_of_a_sequence(name: str, n_columns: int) -> None:
    x = randn(256, n_columns)
    pieces = [Piece(IDS[0][:63], 0, 0), Piece(IDS[1][:1], 0, 1), Piece(IDS[2][:130], 0, 2)]
    outputs = [5, 62, 63, 193]
    own = [IDS[0][:63], IDS[0][:63], IDS[1][:1], IDS[2][:130]]
    exact = [x[ids[0]] if name == "sequence_first" else x[ids].mean(axis=0, dtype=np.float64) for ids in own]

    def build(backend: Any) -> Any:
        return lambda ops, x: getattr(ops, name)(x)

    layout = CacheLayout.of(())
    batch = Paging(layout, 256, 4).batch(pieces, outputs)
    reference = ReferenceBackend()
    model = TableModel(build(reference), reference.embedding(tensor(x)), layout)
    expected = reference.executor(model, table_limits(x)).step(batch)
    assert_close(expected, np.array(exact), atol=1e-7)
    executor = PoisonedExecutor(build, x)
    found = executor.step(batch)
    assert_close(found, expected, atol=1e-6)
    np.testing.assert_array_equal(found[0], found[1])
    executor.close()


def test_a_vector_is_added_to_every_row() -> None:
    """Also to a product, whose sum with another activation would be one op."""
    x, vector, matrix = randn(256, 32), randn(16), randn(16, 32)

    def build(backend: Any) -> Any:
        weight, bias = backend.matrix(tensor(matrix)), backend.vector(tensor(vector))
        return lambda ops, x: ops.add(ops.linear(x, weight), bias)

    executor = PoisonedExecutor(build, x)
    found = executor.rows(67)
    assert_close(found, x[:67].astype(np.float64) @ matrix.T + vector, atol=1e-4)
    executor.close()
    with pytest.raises(ValueError, match="add of 32 columns"):
        PoisonedExecutor(lambda backend: lambda ops, x: ops.add(x, backend.vector(tensor(vector))), x)
