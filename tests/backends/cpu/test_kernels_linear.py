"""Matrix products of every weight type against NumPy in float64 on dequantized weights."""

from __future__ import annotations

from dataclasses import dataclass
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
    flat_batch,
    randn,
    tensor,
    type_name,
)
from helpers.eight_bits import eight_bits
from helpers.weights import FLOAT_TYPES, random_weights
from numpy.typing import NDArray

from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.gguf.types import BLOCK_SIZES
from rushlight.quants import BLOCK_DTYPES, dequantize

QUANTIZED = tuple(type for type in GGMLType if type not in FLOAT_TYPES)
TOLERANCE = 1e-5


def n_columns_of(type: GGMLType) -> tuple[int, ...]:
    if type in FLOAT_TYPES:
        return 1, 7, 33, 100
    block = BLOCK_SIZES[type].values
    return (block, 3 * block, 9 * block) if block == 32 else (block, 3 * block)


@dataclass(frozen=True)
class Product:
    """``x @ weights.T + bias`` by NumPy, and how far float32 sums may lie from it."""

    exact: NDArray[np.float64]
    atol: NDArray[np.float64]


def product(x: Floats, weights: tuple[GGUFTensor, ...], bias: Floats | None = None) -> Product:
    parts, bounds = [], []
    for weight in weights:
        values = dequantize(weight.raw, weight.type).astype(np.float64)
        columns = LAYOUTS[weight.type.name.lower()].activation_columns
        a = x.astype(np.float64) if weight.type in FLOAT_TYPES else eight_bits(x, columns).values
        parts.append(a @ values.T)
        # With a minimum, what is added up may be larger than the weights: bound it by the largest of a row.
        bounds.append(np.abs(a).sum(axis=1)[:, None] * np.abs(values).max(axis=1))
    exact, bound = np.concatenate(parts, axis=1), np.concatenate(bounds, axis=1)
    if bias is not None:
        exact, bound = exact + bias, bound + np.abs(bias)
    return Product(exact, TOLERANCE * bound)


def linear(weights: tuple[GGUFTensor, ...], bias: Floats | None = None) -> Build:
    def build(backend: Any) -> Any:
        matrix = backend.matrix(*weights)
        vector = None if bias is None else backend.vector(tensor(bias))
        return lambda ops, x: ops.linear(x, matrix, vector)

    return build


@pytest.mark.parametrize("type", GGMLType, ids=type_name)
@pytest.mark.parametrize("n_rows", [1, 16, 17, 77])
def test_every_type_on_odd_shapes(type: GGMLType, n_rows: int) -> None:
    for n_columns in n_columns_of(type):
        weights = (random_weights(type, n_rows, n_columns, seed=n_rows),)
        x = randn(max(TOKEN_COUNTS), n_columns)
        expected = product(x, weights)
        executor = PoisonedExecutor(linear(weights), x)
        for n_tokens in TOKEN_COUNTS:
            found = executor.rows(n_tokens)
            assert found.shape == (n_tokens, n_rows)
            assert_close(found, expected.exact[:n_tokens], expected.atol[:n_tokens])
        executor.close()


@pytest.mark.parametrize("type", GGMLType, ids=type_name)
def test_one_token_gives_the_bits_of_its_row_among_many(type: GGMLType) -> None:
    weights = (random_weights(type, 40, 256),)
    x = randn(130, 256)
    executor = PoisonedExecutor(linear(weights, randn(40, seed=1)), x)
    together = executor.rows(130)
    for token in (*range(9), 62, 63, 64, 65, 127, 128, 129):
        alone = executor.step(flat_batch([token]))
        np.testing.assert_array_equal(alone[0], together[token])
    for some in ([5, 3], [64, 1, 0], range(40, 47)):
        np.testing.assert_array_equal(executor.step(flat_batch(some)), together[list(some)])
    executor.close()


@pytest.mark.parametrize("type", GGMLType, ids=type_name)
def test_outputs_only(type: GGMLType) -> None:
    """The output head runs on other rows than the layers do, down to none."""
    weights = (random_weights(type, 19, 256),)
    x = randn(65, 256)

    def build(backend: Any) -> Any:
        matrix = backend.matrix(*weights)
        return lambda ops, y: ops.linear(ops.outputs(y), matrix)

    executor = PoisonedExecutor(build, x)
    every = cpu_rows(linear(weights), x)
    for outputs in ([64], [0, 3, 5, 60, 61], list(range(65)), []):
        found = executor.step(flat_batch(range(65), outputs=outputs))
        assert found.shape == (len(outputs), 19)
        np.testing.assert_array_equal(found, every[outputs])
    executor.close()


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(
    "parts",
    [
        [(GGMLType.Q4_0, 32), (GGMLType.Q4_0, 16), (GGMLType.Q4_0, 16)],
        [(GGMLType.Q4_K, 48), (GGMLType.Q6_K, 16)],
        [(GGMLType.Q4_0, 24), (GGMLType.F16, 9), (GGMLType.Q6_K, 40)],
        [(GGMLType.Q8_0, 8), (GGMLType.Q8_0, 8), (GGMLType.Q8_0, 8)],
        [(GGMLType.F32, 1000), (GGMLType.Q5_1, 24)],
    ],
    ids=lambda parts: "+".join(f"{type.name}x{n}" for type, n in parts),
)
def test_stacked_matrices(parts: list[tuple[GGMLType, int]], biased: bool) -> None:
    weights = tuple(random_weights(type, n, 256, seed=i) for i, (type, n) in enumerate(parts))
    bias = randn(sum(n for _, n in parts), seed=9) if biased else None
    x = randn(7, 256)
    expected = product(x, weights, bias)
    assert_close(cpu_rows(linear(weights, bias), x), expected.exact, expected.atol)


@pytest.mark.parametrize("type", [GGMLType.F32, GGMLType.BF16, GGMLType.Q4_1, GGMLType.Q5_K], ids=type_name)
def test_a_view_of_columns(type: GGMLType) -> None:
    """Views begin anywhere, also where no vector is aligned; equal views are the same activations."""
    weights = (random_weights(type, 20, 256),)
    x = randn(6, 256 + 23)

    def build(backend: Any) -> Any:
        matrix = backend.matrix(*weights)
        return lambda ops, y: ops.add(
            ops.linear(y.columns(13, 269), matrix), ops.linear(y.columns(13, 269), matrix)
        )

    expected = product(x[:, 13:269].copy(), weights)
    assert_close(cpu_rows(build, x), 2 * expected.exact, 2 * expected.atol)


@pytest.mark.parametrize("type", QUANTIZED, ids=type_name)
@pytest.mark.parametrize("byte", [0x00, 0xFF, 0x80, 0x7F])
def test_extreme_weights(type: GGMLType, byte: int) -> None:
    """Integers, scales and high bits at an end of their range (in Q8_0: -128), largest activations."""
    weight = random_weights(type, 17, 256)
    blocks = weight.raw.view(BLOCK_DTYPES[type])
    d_of_iq1_m = blocks["scales"] & 0xF000 if type is GGMLType.IQ1_M else None
    for field in {"qs", "ql", "qh", "hmask", "signs", "scales"} & set(blocks.dtype.names or ()):
        blocks[field].view(np.uint8)[...] = byte
    if d_of_iq1_m is not None:
        blocks["scales"] = (blocks["scales"] & 0x0FFF) | d_of_iq1_m
    signs = np.where(np.random.default_rng(1).random((5, 256)) < 0.5, -1, 1)
    x = np.concatenate([signs, np.ones((1, 256)), -np.ones((1, 256))]).astype(np.float32)
    expected = product(x, (weight,))
    assert_close(cpu_rows(linear((weight,)), x), expected.exact, expected.atol)


def test_every_scale_of_nvfp4() -> None:
    """0x7F is nothing, and the highest bit of a byte is not looked at."""
    weight = random_weights(GGMLType.NVFP4, 64, 256)
    weight.raw.view(BLOCK_DTYPES[GGMLType.NVFP4])["d"] = np.arange(256, dtype=np.uint8).reshape(64, 1, 4)
    x = randn(9, 256)
    expected = product(x, (weight,))
    assert_close(cpu_rows(linear((weight,)), x), expected.exact, expected.atol)
    assert_close(cpu_rows(linear((weight,)), x[:1]), expected.exact[:1], expected.atol[:1])


@pytest.mark.parametrize("type", QUANTIZED, ids=type_name)
def test_extreme_activations(type: GGMLType) -> None:
    x = randn(9, 256)
    x[0] = 0
    x[1, 70] = 1e6
    x[2] = np.float32(1e-45) * np.arange(256)
    x[3] *= np.float32(1e-37)
    x[4] = -0.0
    x[5] *= np.float32(1e30)
    x[6, :32] = 0
    x[7] = np.float32(127.5) * (np.arange(256) % 2)
    weights = (random_weights(type, 17, 256),)
    expected = product(x, weights)
    assert_close(cpu_rows(linear(weights), x), expected.exact, expected.atol + 1e-44)


@pytest.mark.parametrize("type", GGMLType, ids=type_name)
def test_a_token_that_is_not_finite_leaves_the_others_alone(type: GGMLType) -> None:
    weights = (random_weights(type, 17, 256),)
    x = randn(8, 256)
    clean = cpu_rows(linear(weights), x)
    x[2], x[5], x[6, 3] = np.nan, np.inf, -np.inf
    executor = PoisonedExecutor(linear(weights), x)
    others = [0, 1, 3, 4, 7]
    found = executor.executor.step(flat_batch(range(8)))
    np.testing.assert_array_equal(found[others], clean[others])
    assert not np.isfinite(found[[5, 6]]).any()
    executor.close()
