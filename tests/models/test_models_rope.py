"""RoPE tables against the formulas of the papers, written out here anew."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from helpers.random_models import write_random_model
from helpers.random_tables import RANDOM_MODELS
from numpy.typing import NDArray

from rushlight.backends.base import RopeTable
from rushlight.backends.reference import ReferenceBackend
from rushlight.errors import InvalidFile
from rushlight.gguf import open_gguf
from rushlight.models import load_model
from rushlight.models.rope import RopeFactors, grow_with_position, rope_table
from rushlight.models.rope_scaling import RopeScaling

Floats = NDArray[np.float64]


def plain(n_rot: int, base: float) -> Floats:
    return np.array([base ** (-2 * i / n_rot) for i in range(n_rot // 2)])


def check(table: RopeTable, frequencies: Floats, magnitude: float = 1.0) -> None:
    angles = np.arange(len(table.cos))[:, None] * frequencies
    np.testing.assert_allclose(table.cos, magnitude * np.cos(angles), rtol=0, atol=7e-8 * magnitude)
    np.testing.assert_allclose(table.sin, magnitude * np.sin(angles), rtol=0, atol=7e-8 * magnitude)


@pytest.mark.parametrize(
    ("n_ctx", "n_rot", "base"), [(1, 2, 10000.0), (1000, 64, 1e4), (40000, 6, 1e6), (513, 96, 1.5e5)]
)
def test_plain(n_ctx: int, n_rot: int, base: float) -> None:
    table = rope_table(n_ctx, n_rot, base, interleaved=True)
    assert table.cos.shape == table.sin.shape == (n_ctx, n_rot // 2)
    assert table.cos.dtype == np.float32
    assert table.n_rot == n_rot
    check(table, plain(n_rot, base))


def test_linear_stretches_positions() -> None:
    table = rope_table(400, 16, 1e4, False, RopeScaling("linear", 4.0, 100))
    unscaled = rope_table(100, 16, 1e4, False)
    np.testing.assert_allclose(table.cos[::4], unscaled.cos, atol=1e-7)


def test_llama3_factors_divide() -> None:
    factors = np.array([1.0, 2.0, 8.0, 8.0])
    table = rope_table(64, 8, 5e5, True, RopeScaling("linear", 1.0, 64), RopeFactors(factors))
    check(table, plain(8, 5e5) / factors)


@pytest.mark.parametrize(("n_ctx", "chosen"), [(31, 1.5), (32, 1.5), (33, 6.0)])
def test_longrope_chooses_by_the_context_loaded(n_ctx: int, chosen: float) -> None:
    factors = RopeFactors(np.full(4, 1.5), np.full(4, 6.0))
    scaling = RopeScaling("longrope", 1.0, 32, attn_factor=1.19)
    table = rope_table(n_ctx, 8, 1e4, False, scaling, factors)
    check(table, plain(8, 1e4) / chosen, 1.19)


def yarn(
    n_rot: int, base: float, factor: float, n_ctx_orig: int, fast: float, slow: float, truncate: bool = True
) -> Floats:
    """Peng et al. 2023, section 3.2, with the bounds rounded outwards to whole pairs as their code does."""

    def pair(turns: float) -> float:
        return n_rot * math.log(n_ctx_orig / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = pair(fast), pair(slow)
    if truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, n_rot - 1)
    frequencies = []
    for i, frequency in enumerate(plain(n_rot, base)):
        extrapolated = 1 - min(max((i - low) / max(high - low, 0.001), 0), 1)
        frequencies.append(frequency * extrapolated + frequency / factor * (1 - extrapolated))
    return np.array(frequencies)


@pytest.mark.parametrize(("fast", "slow"), [(32.0, 1.0), (16.0, 2.0)])
def test_yarn(fast: float, slow: float) -> None:
    scaling = RopeScaling("yarn", 4.0, 4096, ext_factor=1.0, beta_fast=fast, beta_slow=slow)
    table = rope_table(300, 128, 1e6, False, scaling)
    expected = yarn(128, 1e6, 4.0, 4096, fast, slow)
    assert np.unique(np.round(expected / plain(128, 1e6), 6)).size > 10  # the blend is seen
    check(table, expected, 0.1 * math.log(4.0) + 1)


def test_the_bounds_of_yarn_may_lie_between_pairs() -> None:
    """Those of gpt-oss: 8.09 and 17.40."""
    scaling = RopeScaling("yarn", 32.0, 4096, ext_factor=1.0, truncate=False)
    expected = yarn(64, 1.5e5, 32.0, 4096, 32.0, 1.0, truncate=False)
    assert np.abs(yarn(64, 1.5e5, 32.0, 4096, 32.0, 1.0) / expected - 1).max() > 0.4
    check(rope_table(300, 64, 1.5e5, False, scaling), expected, 0.1 * math.log(32.0) + 1)


def test_gpt_oss_does_not_round_them(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_random_model(next(model for model in RANDOM_MODELS if model.name == "gpt-oss"), path)
    with open_gguf(path) as file:
        model = load_model(file, ReferenceBackend())
    assert not model.config.rope_scaling.truncate


def test_long_tables_keep_their_accuracy() -> None:
    """At 2 million positions."""
    n_ctx = 1 << 21
    table = rope_table(n_ctx, 4, 1e4, False)
    frequency = 1e4**-0.5
    for position in (n_ctx - 1, 1234567):
        turns = math.fmod(position * frequency, 2 * math.pi)
        assert table.cos[position, 1] == pytest.approx(math.cos(turns), abs=1e-7)
        assert table.cos[position, 0] == pytest.approx(math.cos(position), abs=1e-7)


def test_the_bits_are_the_same_on_every_machine() -> None:
    scaling = RopeScaling("yarn", 4.0, 4096, attn_factor=1.1, ext_factor=1.0)
    table = rope_table(5000, 96, 1e6, False, scaling)
    bits = table.cos.astype("<f4").tobytes() + table.sin.astype("<f4").tobytes()
    assert hashlib.sha256(bits).hexdigest()[:16] == "ef32c0ad5f425de2"


@pytest.mark.parametrize("factor", [1e-9, 0.05])
def test_absurd_frequencies_are_refused(factor: float) -> None:
    with pytest.raises(InvalidFile, match="radians"):
        rope_table(10, 4, 1e4, False, RopeScaling("linear", factor, 10))


def test_a_pair_whose_frequency_is_divided_by_a_huge_factor_stays_unturned() -> None:
    factors = RopeFactors(np.array([1.0, 1.0, 1e30, 1e30]))
    table = rope_table(1000, 8, 1e6, interleaved=False, factors=factors)
    check(table, np.array([*plain(8, 1e6)[:2], 0.0, 0.0]))
    assert (table.cos[:, 2:] == 1).all()


@pytest.mark.parametrize(("multiplier", "magnitude"), [(0.0, 1 + 0.1 * math.log(4)), (1.0, 1.0)])
def test_the_temperature_of_yarn_can_be_taken_back(multiplier: float, magnitude: float) -> None:
    scaling = RopeScaling("yarn", 4.0, 64, ext_factor=1.0, log_multiplier=multiplier)
    table = rope_table(4, 8, 1e4, interleaved=True, scaling=scaling)
    np.testing.assert_allclose(np.hypot(table.cos, table.sin), magnitude, rtol=1e-6)


def test_queries_grow_with_their_position() -> None:
    plain_table = rope_table(100, 8, 1e4, interleaved=True)
    table = grow_with_position(plain_table, 0.3, 16)
    growth = [1 + 0.3 * math.log(1 + position // 16) for position in range(100)]
    np.testing.assert_allclose(table.cos, plain_table.cos * np.array(growth)[:, None], rtol=2e-7)
    np.testing.assert_allclose(table.sin, plain_table.sin * np.array(growth)[:, None], rtol=2e-7)
    assert table.interleaved


def test_absurd_widths_are_refused_before_they_cost_memory() -> None:
    with pytest.raises(InvalidFile, match="turn 16777216 columns of each head; expected at most 4096"):
        rope_table(8192, 1 << 24, 1e4, interleaved=False)
