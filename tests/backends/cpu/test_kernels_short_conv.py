"""Short convolutions against np.convolve in float64, and against themselves in other batches."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.cpu import Build, Floats, assert_close, cpu_backend, randn, tensor
from helpers.recurrences import RAGGED, TOGETHER, WHOLE, cpu_steps, reference_steps

from rushlight.backends.cache import RecurrentCache

SHAPES = [(1, 2), (16, 4), (65, 3), (200, 5)]
"""Columns and taps."""


def build_for(taps: Floats, bias: Floats | None = None) -> Build:
    def build(backend):  # type: ignore[no-untyped-def]
        weight = backend.vector(tensor(taps.T.reshape(-1)))
        vector = None if bias is None else backend.vector(tensor(bias))
        return lambda ops, x: ops.short_conv(x, weight, 0, vector)

    return build


def spec_for(taps: Floats) -> RecurrentCache:
    return RecurrentCache(state=(0,), conv=(taps.shape[1] - 1, taps.shape[0]))


def convolved(x: Floats, taps: Floats) -> Floats:
    """Each of 4 sequences of 64 rows by np.convolve, which turns its kernel round."""
    wide, kernels = x.astype(np.float64), taps[:, ::-1].astype(np.float64)
    sequences = [
        np.stack([np.convolve(column, kernel)[:64] for column, kernel in zip(rows.T, kernels, strict=True)])
        for rows in np.split(wide, 4)
    ]
    return np.concatenate([rows.T for rows in sequences])


@pytest.mark.parametrize(("n", "n_taps"), SHAPES)
def test_is_a_causal_convolution_of_each_sequence(n: int, n_taps: int) -> None:
    x, taps, bias = randn(256, n), randn(n, n_taps, seed=1), randn(n, seed=6)
    expected = convolved(x, taps)
    for steps in (RAGGED, TOGETHER):
        for run in (cpu_steps, reference_steps):
            assert_close(run(build_for(taps), x, spec_for(taps), steps), expected, 4e-6)
            assert_close(run(build_for(taps, bias), x, spec_for(taps), steps), expected + bias, 4e-6)


@pytest.mark.parametrize(("n", "n_taps"), SHAPES)
def test_chunks_batches_and_threads_do_not_change_a_bit(n: int, n_taps: int) -> None:
    x, taps = randn(256, n, seed=2), randn(n, n_taps, seed=3)
    whole = cpu_steps(build_for(taps), x, spec_for(taps), WHOLE)
    for steps in (RAGGED, TOGETHER):
        for n_threads in (1, 3):
            found = cpu_steps(build_for(taps), x, spec_for(taps), steps, cpu_backend(n_threads))
            np.testing.assert_array_equal(found, whole)


def test_reads_a_view_of_columns() -> None:
    x, taps = randn(256, 80, seed=4), randn(48, 3, seed=5)

    def build(backend):  # type: ignore[no-untyped-def]
        weight = backend.vector(tensor(taps.T.reshape(-1)))
        return lambda ops, x: ops.short_conv(x.columns(20, 68), weight, 0)

    found = cpu_steps(build, x, spec_for(taps), RAGGED)
    np.testing.assert_array_equal(
        found, cpu_steps(build_for(taps), np.ascontiguousarray(x[:, 20:68]), spec_for(taps), WHOLE)
    )
