"""Activations in 8 bits, and what is kept beside them, bit for bit against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.cpu import TOKEN_COUNTS, Floats, PoisonedExecutor, randn, tensor
from helpers.eight_bits import EightBits, eight_bits

from rushlight.backends.cpu.records import META_BYTES
from rushlight.gguf import GGMLType

META = np.dtype([("scale", "f4"), ("sum", "f4"), ("first", "f4"), ("last", "f4")])


def build(backend: Any) -> Any:
    """Any quantized matrix makes its input be quantized."""
    matrix = backend.matrix(tensor(randn(1, 96), GGMLType.Q8_0))
    return lambda ops, x: ops.linear(x.columns(5, 5 + 96), matrix)


def quantized(executor: PoisonedExecutor, n_tokens: int) -> tuple[Any, Any]:
    """int8 [tokens, blocks, 32] and `META` [tokens, blocks] of the last step."""
    (op,) = [op for op in executor.executor.binding.recording.ops if op.kernel == "quantize"]
    integers = executor.buffer(op.fields["y"], n_tokens)[:, :96].view(np.int8).reshape(n_tokens, 3, 32)
    meta = np.ascontiguousarray(executor.buffer(op.fields["meta"], n_tokens)[:, : 3 * META_BYTES])
    return integers, meta.view(META)


def check(x: Floats, n_tokens: int, executor: PoisonedExecutor) -> None:
    executor.rows(n_tokens)
    integers, meta = quantized(executor, n_tokens)
    expected = eight_bits(x[:n_tokens, 5 : 5 + 96])
    np.testing.assert_array_equal(integers, expected.integers)
    np.testing.assert_array_equal(meta["scale"], expected.scales)
    check_sums(meta, expected)


def check_sums(meta: Any, expected: EightBits) -> None:
    for name, part in (("sum", slice(None)), ("first", slice(16)), ("last", slice(16, None))):
        total = expected.integers[..., part].sum(-1).astype(np.float32)
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(meta[name], expected.scales * total)


def hard_rows() -> Floats:
    x = np.zeros((8, 101), np.float32)
    x[1] = -0.0
    x[2, 40] = 1e30
    x[3] = np.float32(1e-45) * np.arange(101)
    x[4] = 127 * np.float32(2) ** -100 * np.cos(np.arange(101))
    # Half-way cases: multiples of 1/2 with 127 as the largest, so that the scale is 1.
    x[5] = np.arange(101) / 2 - 20
    x[5, [6, 40, 75]] = 127
    x[6] = np.finfo(np.float32).max * np.cos(np.arange(101))
    x[7] = np.finfo(np.float32).tiny * np.arange(101) * 2
    return x


def test_rows_of_every_count() -> None:
    x = randn(max(TOKEN_COUNTS), 101)
    executor = PoisonedExecutor(build, x)
    for n_tokens in TOKEN_COUNTS:
        check(x, n_tokens, executor)
    executor.close()


def test_zeros_outliers_subnormals_and_halves() -> None:
    x = hard_rows()
    executor = PoisonedExecutor(build, x)
    check(x, len(x), executor)
    executor.close()


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_is_always_127(sign: int) -> None:
    """Whatever the rounding of the scale and its inverse: -128 must not arise, as products would overflow."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((128, 101)).astype(np.float32) * np.float32(10.0) ** rng.integers(
        -30, 30, (128, 1)
    )
    x = x.astype(np.float32)
    for start in (5, 37, 69):
        x[:, start + 7] = sign * np.abs(x[:, start : start + 32]).max(axis=1) * np.float32(1.01)
    executor = PoisonedExecutor(build, x)
    executor.rows(128)
    integers, _ = quantized(executor, 128)
    assert (integers[:, :, 7] == sign * 127).all()
    assert integers.min() >= -127
    executor.close()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 17, 31])
def test_a_number_that_is_none_spoils_its_own_row_only(wrong: float, column: int) -> None:
    x = randn(3, 101)
    x[1, 5 + 32 + column] = wrong
    executor = PoisonedExecutor(build, x)
    result = executor.rows(3)
    executor.close()
    np.testing.assert_array_equal(np.isnan(result).any(1), [False, True, False])
