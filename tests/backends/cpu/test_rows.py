"""Row operations by kernels: the bits of NumPy's, on ordinary rows and on hard ones."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from helpers.cpu import TableModel, cpu_backend, flat_batch, randn, table_limits, tensor

from rushlight.backends.cache import CacheLayout
from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.rows import ROW_KERNELS, CpuRowMath
from rushlight.backends.reference import ReferenceBackend
from rushlight.params import SamplingParams
from rushlight.row_math import NUMPY_ROWS
from rushlight.sampling import sample

LENGTHS = [1, 15, 32, 63, 64, 100, 511, 513, 1024, 1025, 4095, 4096, 4097, 5003, 16384, 49157]
N_MOST = max(LENGTHS)
DIVISORS = [1.0, 0.7, 3.0, 1e-300]


@cache
def rows(n_threads: int) -> CpuRowMath:
    backend = CpuBackend(n_threads)
    return CpuRowMath(backend._team, KernelLibrary(ROW_KERNELS, backend.target), N_MOST)


def hard_rows(n: int) -> list[np.ndarray]:
    """Rows of finite numbers: ordinary, full of ties, all equal, huge, tiny, and zeros of both signs."""
    rng = np.random.default_rng(n)
    normal = rng.normal(0, 5, n).astype(np.float32)
    signs = np.where(rng.random(n) < 0.5, np.float32(0.0), np.float32(-0.0))
    return [
        normal,
        np.round(normal),
        np.full(n, -3.25, np.float32),
        normal * np.float32(1e37),
        normal * np.float32(1e-41),
        signs,
        -np.abs(normal) * np.float32(200),
    ]


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("n", LENGTHS)
def test_results_are_numpys_bit_for_bit(n: int, n_threads: int) -> None:
    native = rows(n_threads)
    for x in hard_rows(n):
        best = native.argmax(x)
        assert best == NUMPY_ROWS.argmax(x)
        assert np.signbit(best.value) == np.signbit(x[best.place])
        for divisor in DIVISORS:
            arguments = x, best.value, divisor
            for name in ("exp_scaled", "exp_column_sums"):
                found, expected = getattr(native, name)(*arguments), getattr(NUMPY_ROWS, name)(*arguments)
                np.testing.assert_array_equal(found.view(np.int64), expected.view(np.int64))
        np.testing.assert_array_equal(native.run_maxima(x), NUMPY_ROWS.run_maxima(x))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("n", [1024, 4097, 49157])
def test_a_number_that_is_not_finite_is_seen_wherever_it_stands(n: int, bad: float) -> None:
    for place in {0, 1, 15, 16, n // 2, n - 1, n - n % 16 - 1}:
        x = np.random.default_rng(place).normal(0, 3, n).astype(np.float32)
        x[place] = bad
        assert rows(1).argmax(x).place == NUMPY_ROWS.argmax(x).place == -1


def test_the_highest_is_found_wherever_it_stands() -> None:
    x = np.zeros(10_001, np.float32)
    for place in (0, 4095, 4096, 8191, 9_999, 10_000):
        x[:] = -1.0
        x[place:] = 7.5
        assert rows(3).argmax(x) == (place, 7.5)


def test_rows_that_do_not_suit_the_kernels_are_left_to_numpy() -> None:
    wide = np.random.default_rng(0).normal(0, 3, 2 * N_MOST).astype(np.float32)
    for x in (wide, wide[::2], wide[:3000].astype(np.float64)):
        assert rows(1).argmax(x) == NUMPY_ROWS.argmax(x)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0},
        {"temperature": 0.6, "top_k": 40},
        {"top_p": 0.95},
        {"top_p": 0.9, "min_p": 0.02, "top_k": 500},
        {"min_p": 0.05, "repeat_penalty": 1.3},
        {"presence_penalty": 0.5, "logit_bias": {7: 20.0}, "logprobs": 5},
    ],
)
def test_sampling_does_not_depend_on_who_computes(options: dict[str, object]) -> None:
    params = SamplingParams(**options)  # type: ignore[arg-type]
    for seed, x in enumerate(hard_rows(20_011)[:3]):
        generated = [int(i) for i in np.random.default_rng(seed).integers(0, len(x), 50)]
        expected = sample(x, params, generated, seed)
        for n_threads in (1, 3):
            native = rows(n_threads)
            assert sample(x, params, generated, seed, row_math=native) == expected
            assert sample(x, params, generated, seed, argmax=native.argmax(x), row_math=native) == expected


def test_a_step_gives_the_highest_logit_of_every_row() -> None:
    x = randn(9, 5000)
    x[2] = np.round(x[2])
    x[4, 4321], x[5, 0], x[6, 4999] = np.nan, np.inf, 90.0
    for backend in (cpu_backend(), CpuBackend(3), ReferenceBackend()):
        table = backend.embedding(tensor(x))
        model = TableModel(lambda ops, x: ops.outputs(x), table, CacheLayout.of(()))
        executor = backend.executor(model, table_limits(x))
        for outputs in ([], [3], range(9)):
            logits = executor.step(flat_batch(range(9), outputs=outputs))
            found = executor.argmax()
            assert [a.place for a in found] == [NUMPY_ROWS.argmax(row).place for row in logits]
            assert all(row[a.place] == a.value for row, a in zip(logits, found, strict=True) if a.place >= 0)
        executor.close()
