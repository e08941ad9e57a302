"""Each op of the reference backend against its definition, written as loops over Python floats."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers.batches import Paging, Piece
from helpers.weights import random_weights
from numpy.typing import NDArray

from rushlight.backends.base import Limits, RopeTable
from rushlight.backends.cache import AttentionCache, CacheLayout
from rushlight.backends.reference import ReferenceBackend
from rushlight.backends.reference.ops import ReferenceOps
from rushlight.backends.reference.pools import allocate_pools
from rushlight.backends.reference.values import Values
from rushlight.errors import InvalidParameter
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.quants import dequantize, quantize

Floats = NDArray[np.float32]
LAYOUT = CacheLayout.of((AttentionCache(1, 4, 4),))
BACKEND = ReferenceBackend()


def randn(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def tensor(values: Floats, type: GGMLType = GGMLType.F32) -> GGUFTensor:
    return GGUFTensor("t.weight", values.shape, type, quantize(values, type))


def make_ops(pieces: list[Piece], outputs: list[int] | None = None) -> ReferenceOps:
    paging = Paging(LAYOUT, 128, len(pieces))
    limits = Limits(256, 4, 256, 128, paging.n_blocks, "f32")
    return ReferenceOps(paging.batch(pieces, outputs), LAYOUT, allocate_pools(LAYOUT, limits))


OPS = make_ops([Piece([0])])


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 7), (5, 33), (0, 8)])
def test_rms_norm(rows: int, columns: int) -> None:
    x, w = randn(rows, columns), randn(columns, seed=1)
    found = OPS.rms_norm(Values(x), BACKEND.vector(tensor(w)), 1e-3).array
    assert found.shape == (rows, columns)
    for r in range(rows):
        root = math.sqrt(sum(float(v) ** 2 for v in x[r]) / columns + 1e-3)
        expected = [float(v) / root * float(s) for v, s in zip(x[r], w, strict=True)]
        np.testing.assert_allclose(found[r], expected, rtol=1e-6)


def test_rms_norm_of_groups_is_the_norm_of_each() -> None:
    x, w = randn(4, 15), BACKEND.vector(tensor(randn(5, seed=1)))
    found = OPS.rms_norm(Values(x), w, 1e-6, n_group=3).array
    for g in range(3):
        alone = OPS.rms_norm(Values(x).columns(5 * g, 5 * g + 5), w, 1e-6).array
        np.testing.assert_array_equal(found[:, 5 * g : 5 * g + 5], alone)


@pytest.mark.parametrize("biased", [False, True])
def test_layer_norm(biased: bool) -> None:
    x, w, b = randn(3, 11) + 100, randn(11, seed=1), randn(11, seed=2)
    bias = BACKEND.vector(tensor(b)) if biased else None
    found = OPS.layer_norm(Values(x), BACKEND.vector(tensor(w)), bias, 1e-5).array
    for r in range(3):
        mean = math.fsum(map(float, x[r])) / 11
        variance = math.fsum((float(v) - mean) ** 2 for v in x[r]) / 11
        expected = [
            (float(v) - mean) / math.sqrt(variance + 1e-5) * float(s) for v, s in zip(x[r], w, strict=True)
        ]
        np.testing.assert_allclose(found[r], np.array(expected) + (b if biased else 0), rtol=1e-5, atol=1e-6)


def test_layer_norm_of_groups_is_the_norm_of_each_with_its_own_weights() -> None:
    x, w, b = randn(4, 15), randn(15, seed=1), randn(15, seed=2)
    found = OPS.layer_norm(Values(x), BACKEND.vector(tensor(w)), BACKEND.vector(tensor(b)), 1e-6, 3).array
    for g in range(3):
        run = slice(5 * g, 5 * g + 5)
        vectors = BACKEND.vector(tensor(w[run])), BACKEND.vector(tensor(b[run]))
        alone = OPS.layer_norm(Values(x).columns(5 * g, 5 * g + 5), *vectors, 1e-6).array
        np.testing.assert_array_equal(found[:, run], alone)


def test_norms_without_weights() -> None:
    x, ones = randn(3, 11), BACKEND.vector(tensor(np.ones(11, np.float32)))
    found = OPS.layer_norm(Values(x), None, None, 1e-5).array
    np.testing.assert_array_equal(found, OPS.layer_norm(Values(x), ones, None, 1e-5).array)
    found = OPS.rms_norm(Values(x), None, 1e-5).array
    np.testing.assert_array_equal(found, OPS.rms_norm(Values(x), ones, 1e-5).array)


def test_embeddings_of_positions() -> None:
    values = randn(6, 5)
    ops = make_ops([Piece([0, 0], start=3), Piece([0], slot=1)])
    found = ops.embed_positions(BACKEND.embedding(tensor(values))).array
    np.testing.assert_array_equal(found, values[[3, 4, 0]])
    with pytest.raises(InvalidParameter, match="position 4"):
        ops.embed_positions(BACKEND.embedding(tensor(values[:4])))


def test_functions_of_one_activation() -> None:
    x = randn(2, 9)
    values = x.astype(np.float64)
    for found, expected in (
        (OPS.relu_squared(Values(x)), np.where(values > 0, values, 0) ** 2),
        (OPS.scale(Values(x), 0.3), values * 0.3),
        (OPS.clamp(Values(x), 0.7), [[max(-0.7, min(0.7, v)) for v in row] for row in values]),
        (
            OPS.xielu(Values(x), 0.8, 1.3, 0.5, -0.1),
            [
                [0.5 * v + (0.8 * v * v if v > 0 else 1.3 * (math.expm1(min(v, -0.1)) - v)) for v in row]
                for row in values
            ],
        ),
        (OPS.softcap(Values(x), 0.7), [[0.7 * math.tanh(v / 0.7) for v in row] for row in values]),
    ):
        np.testing.assert_allclose(found.array, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kept_bytes", [0, 1 << 20])
@pytest.mark.parametrize("type", list(GGMLType))
def test_linear(type: GGMLType, kept_bytes: int) -> None:
    x, second = randn(3, 256), randn(2, 256, seed=2)
    parts = random_weights(type, 5, 256), tensor(second)
    weight = ReferenceBackend(kept_bytes).matrix(*parts)
    bias = randn(7, seed=3)
    assert weight.shape == (7, 256)
    exact = np.concatenate([dequantize(part.raw, part.type) for part in parts]).astype(np.float64)
    for _ in range(2):
        found = OPS.linear(Values(x), weight, BACKEND.vector(tensor(bias))).array
        np.testing.assert_allclose(found, x.astype(np.float64) @ exact.T + bias, rtol=0, atol=1e-4)
    np.testing.assert_allclose(OPS.linear(Values(x), weight).array + bias, found, atol=1e-5)


def test_a_large_matrix_goes_by_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushlight.backends.reference.weights._CHUNK_VALUES", 100)
    weight = ReferenceBackend(0).matrix(tensor(randn(23, 32)))
    assert [len(chunk) for chunk in weight.chunks()] == [3] * 7 + [2]
    found = OPS.linear(Values(randn(2, 32, seed=1)), weight).array
    np.testing.assert_allclose(found, randn(2, 32, seed=1) @ randn(23, 32).T, rtol=1e-5, atol=1e-5)


def test_embed_takes_rows_and_scales() -> None:
    values = randn(9, 64)
    table = BACKEND.embedding(tensor(values, GGMLType.Q8_0))
    ops = make_ops([Piece([8, 0, 8])])
    rows = dequantize(quantize(values, GGMLType.Q8_0), GGMLType.Q8_0)[[8, 0, 8]]
    np.testing.assert_array_equal(ops.embed(table).array, rows)
    np.testing.assert_array_equal(ops.embed(table, 1.5).array, rows * np.float32(1.5))


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("n_rot", [2, 4, 6])
def test_rope(interleaved: bool, n_rot: int) -> None:
    head, n_head, half = 6, 3, n_rot // 2
    angles = np.random.default_rng(1).uniform(-3, 3, (128, half))
    table = RopeTable(np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32), interleaved)
    ops = make_ops([Piece([0, 0], start=70), Piece([0], start=3, slot=1)])
    x = randn(3, n_head * head)
    found = ops.rope(Values(x), table, n_head).array.reshape(3, n_head, head)
    expected = x.reshape(3, n_head, head).astype(np.float64)
    for row, position in enumerate((70, 71, 3)):
        for h in range(n_head):
            for i in range(half):
                first, second = (2 * i, 2 * i + 1) if interleaved else (i, i + half)
                turned = complex(*expected[row, h, [first, second]]) * np.exp(1j * angles[position, i])
                expected[row, h, [first, second]] = turned.real, turned.imag
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def naive_attention(
    q: Floats, k: Floats, v: Floats, n_kv: int, window: int, scale: float, softcap: float
) -> NDArray[Any]:
    """Causal attention of one whole sequence: q [T, H, D], k [T, KH, D], v [T, KH, Dv]."""
    out = np.zeros((*q.shape[:2], v.shape[2]))
    for t in range(len(q)):
        oldest = max(0, t - window + 1) if window else 0
        for h in range(q.shape[1]):
            g = h // (q.shape[1] // n_kv)
            scores = [scale * float(np.dot(q[t, h].astype(float), k[p, g])) for p in range(oldest, t + 1)]
            if softcap:
                scores = [softcap * math.tanh(score / softcap) for score in scores]
            weights = [math.exp(score - max(scores)) for score in scores]
            for p, weight in zip(range(oldest, t + 1), weights, strict=True):
                out[t, h] += weight / sum(weights) * v[p, g].astype(float)
    return out


@pytest.mark.parametrize("window", [0, 1, 5, 40])
@pytest.mark.parametrize("softcap", [0.0, 2.0])
@pytest.mark.parametrize(("n_head", "n_kv", "d_k", "d_v"), [(1, 1, 3, 5), (6, 2, 4, 4)])
def test_attention(window: int, softcap: float, n_head: int, n_kv: int, d_k: int, d_v: int) -> None:
    """Two sequences in steps of several sizes, over block borders."""
    layout = CacheLayout.of((AttentionCache(n_kv, d_k, d_v, window),))
    lengths = 45, 39
    data = [
        (randn(n, n_head, d_k, seed=s), randn(n, n_kv, d_k, seed=s + 9), randn(n, n_kv, d_v, seed=s + 99))
        for s, n in enumerate(lengths)
    ]
    paging = Paging(layout, 64, 2)
    pools = allocate_pools(layout, Limits(128, 2, 128, 64, paging.n_blocks, "f32"))
    for array in (pools[0].keys, pools[0].values):
        array[:] = np.nan
    found: list[list[Floats]] = [[], []]
    for start, stops in ((0, (1, 1)), (1, (31, 31)), (31, (34, 34)), (34, lengths)):
        batch = paging.batch([Piece([0] * (stop - start), start, s) for s, stop in enumerate(stops)])
        q, k, v = (
            np.concatenate([data[s][i][start:stop].reshape(stop - start, -1) for s, stop in enumerate(stops)])
            for i in range(3)
        )
        ops = ReferenceOps(batch, layout, pools)
        out = ops.attention(Values(q), Values(k), Values(v), layer=0, scale=0.7, softcap=softcap).array
        for s, rows in enumerate(np.split(out, [stops[0] - start])):
            found[s].append(rows)
    for s in range(2):
        expected = naive_attention(*data[s], n_kv, window, 0.7, softcap).reshape(lengths[s], -1)
        np.testing.assert_allclose(np.concatenate(found[s]), expected, rtol=1e-5, atol=1e-5)


def test_keys_and_values_are_rounded_to_the_cache_before_use() -> None:
    paging = Paging(LAYOUT, 32)
    pools = allocate_pools(LAYOUT, Limits(1, 1, 1, 32, paging.n_blocks, "f16"))
    v = np.array([[1.0001, 70000.0, 2**-26, -0.1]], np.float32)
    with np.errstate(over="ignore"):
        out = ReferenceOps(paging.batch([Piece([0])]), LAYOUT, pools).attention(
            Values(randn(1, 4)), Values(randn(1, 4)), Values(v), 0, 1.0
        )
        np.testing.assert_array_equal(out.array, v.astype(np.float16).astype(np.float32))


def test_gates_and_sums() -> None:
    x, y = 4 * randn(3, 17), randn(3, 17, seed=1)
    silu = [[float(a) / (1 + math.exp(-float(a))) for a in row] for row in x]
    gelu = [
        [0.5 * a * (1 + math.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))) for a in map(float, row)]
        for row in x
    ]
    close = {"rtol": 2e-6, "atol": 1e-6}
    np.testing.assert_allclose(OPS.silu_mul(Values(x), Values(y)).array, silu * y, **close)
    np.testing.assert_allclose(OPS.gelu_mul(Values(x), Values(y)).array, gelu * y, **close)
    np.testing.assert_allclose(OPS.gelu(Values(x)).array, gelu, **close)
    np.testing.assert_allclose(OPS.silu(Values(x)).array, silu, **close)
    sigmoid = [[1 / (1 + math.exp(-float(a))) for a in row] for row in x]
    np.testing.assert_allclose(OPS.sigmoid(Values(x)).array, sigmoid, **close)
    softplus = [[math.log1p(math.exp(float(a))) for a in row] for row in x]
    np.testing.assert_allclose(OPS.softplus(Values(x)).array, softplus, **close)
    np.testing.assert_array_equal(OPS.add(Values(x), Values(y)).array, x + y)
    np.testing.assert_array_equal(OPS.multiply(Values(x), Values(y)).array, x * y)


def test_outputs_and_columns_select() -> None:
    ops = make_ops([Piece([1, 2, 3, 4])], outputs=[1, 3])
    x = Values(randn(4, 10))
    np.testing.assert_array_equal(ops.outputs(x.columns(2, 5)).array, x.array[[1, 3], 2:5])
    assert x.columns(2, 5).n_columns == 3


def test_ops_leave_their_inputs_alone() -> None:
    ops = make_ops([Piece([1, 2])])
    table = RopeTable(np.zeros((128, 1), np.float32), np.ones((128, 1), np.float32), False)
    x = Values(randn(2, 4))
    before = x.array.copy()
    w = BACKEND.vector(tensor(randn(4)))
    for out in (ops.rope(x, table, 1), ops.rms_norm(x, w, 1e-6), ops.gelu(x), ops.attention(x, x, x, 0, 1.0)):
        out.array[:] = np.nan
    np.testing.assert_array_equal(x.array, before)
