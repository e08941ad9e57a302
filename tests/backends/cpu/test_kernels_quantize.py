"""Activations in 8 bits, and what is kept beside them, bit for bit against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.cpu import TOKEN_COUNTS, Build, Floats, PoisonedExecutor, randn, tensor
from helpers.eight_bits import EightBits, eight_bits

from rushlight.backends.cpu.records import META_BYTES
from rushlight.gguf import GGMLType

META = {
    32: np.dtype([("scale", "f4"), ("sum", "f4"), ("start", "i4"), ("half", "i4")]),
    256: np.dtype(
        [("scale", "f4"), ("unused", "f4", 3), ("starts", "i4", 16), ("low", "i1", 8), ("high", "i1", 8)]
    ),
}
TYPES = {32: GGMLType.Q8_0, 256: GGMLType.Q6_K}
N_BLOCKS, FIRST = 3, 5
every_size = pytest.mark.parametrize("size", META)


def n_columns(size: int) -> int:
    return FIRST + N_BLOCKS * size


def build(size: int) -> Build:
    """Any quantized matrix makes its input be quantized, in blocks of the size of its own."""

    def with_backend(backend: Any) -> Any:
        matrix = backend.matrix(tensor(randn(1, N_BLOCKS * size), TYPES[size]))
        return lambda ops, x: ops.linear(x.columns(FIRST, n_columns(size)), matrix)

    return with_backend


def quantized(executor: PoisonedExecutor, n_tokens: int, size: int) -> tuple[Any, Any]:
    """int8 [tokens, blocks, size] and `META` [tokens, blocks] of the last step."""
    (op,) = [op for op in executor.executor.binding.recording.ops if op.kernel == f"quantize_{size}"]
    integers = executor.buffer(op.fields["y"], n_tokens)[:, : N_BLOCKS * size].view(np.int8)
    meta = np.ascontiguousarray(
        executor.buffer(op.fields["meta"], n_tokens)[:, : N_BLOCKS * META_BYTES[size]]
    )
    return integers.reshape(n_tokens, N_BLOCKS, size), meta.view(META[size])


def check(x: Floats, n_tokens: int, executor: PoisonedExecutor, size: int) -> None:
    executor.rows(n_tokens)
    integers, meta = quantized(executor, n_tokens, size)
    expected = eight_bits(x[:n_tokens, FIRST:], size)
    np.testing.assert_array_equal(integers, expected.integers)
    np.testing.assert_array_equal(meta["scale"], expected.scales)
    (check_block if size == 32 else check_superblock)(meta, expected)


def check_block(meta: Any, expected: EightBits) -> None:
    total = expected.integers.sum(-1)
    np.testing.assert_array_equal(meta["start"], -8 * total)
    np.testing.assert_array_equal(meta["half"], -16 * expected.integers[..., :16].sum(-1))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(meta["sum"], expected.scales * total.astype(np.float32))


def check_superblock(meta: Any, expected: EightBits) -> None:
    sixteens = expected.integers.reshape(*expected.integers.shape[:2], 16, 16).sum(-1)
    np.testing.assert_array_equal(meta["starts"], -32 * sixteens)
    low, high = meta["low"].astype(np.int64), meta["high"].astype(np.int64)
    np.testing.assert_array_equal(low + 128 * high, sixteens.reshape(*sixteens.shape[:2], 8, 2).sum(-1))
    assert np.abs(low).max() <= 64  # within what a dot product of 8 bits takes
    assert np.abs(high).max() <= 32


def hard_rows(size: int) -> Floats:
    n = n_columns(size)
    x = np.zeros((9, n), np.float32)
    x[1] = -0.0
    x[2, 40] = 1e30
    x[3] = np.float32(1e-45) * np.arange(n)
    x[4] = 127 * np.float32(2) ** -100 * np.cos(np.arange(n))
    # Half-way cases: multiples of 1/2 with 127 as the largest, so that the scale is 1.
    x[5] = np.arange(n) % 101 / 2 - 20
    x[5, FIRST + size * np.arange(N_BLOCKS) + 1] = 127
    x[6] = np.finfo(np.float32).max * np.cos(np.arange(n))
    x[7] = np.finfo(np.float32).tiny * np.arange(n) * 2
    x[8] = np.where(np.arange(n) // size % 2 == 0, 1, -1)
    return x


@every_size
def test_rows_of_every_count(size: int) -> None:
    x = randn(max(TOKEN_COUNTS), n_columns(size))
    executor = PoisonedExecutor(build(size), x)
    for n_tokens in TOKEN_COUNTS:
        check(x, n_tokens, executor, size)
    executor.close()


@every_size
def test_zeros_outliers_subnormals_halves_and_largest_sums(size: int) -> None:
    x = hard_rows(size)
    executor = PoisonedExecutor(build(size), x)
    check(x, len(x), executor, size)
    executor.close()


@every_size
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_is_always_127(sign: int, size: int) -> None:
    """Whatever the rounding of the scale and its inverse: -128 must not arise, as products would overflow."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((128, n_columns(size))) * 10.0 ** rng.integers(-30, 30, (128, 1))
    x = x.astype(np.float32)
    for start in range(FIRST, n_columns(size), size):
        x[:, start + 7] = sign * np.abs(x[:, start : start + size]).max(axis=1) * np.float32(1.01)
    executor = PoisonedExecutor(build(size), x)
    executor.rows(128)
    integers, _ = quantized(executor, 128, size)
    assert (integers[:, :, 7] == sign * 127).all()
    assert integers.min() >= -127
    executor.close()


@every_size
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 17, 31])
def test_a_number_that_is_none_spoils_its_own_row_only(wrong: float, column: int, size: int) -> None:
    x = randn(3, n_columns(size))
    x[1, FIRST + size + column] = wrong
    executor = PoisonedExecutor(build(size), x)
    result = executor.rows(3)
    executor.close()
    np.testing.assert_array_equal(np.isnan(result).any(1), [False, True, False])
