"""Rotary position embedding against complex multiplication in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.cpu import (
    N_CTX,
    TOKEN_COUNTS,
    Build,
    Floats,
    PoisonedExecutor,
    assert_close,
    cpu_rows,
    flat_batch,
    randn,
    reference_rows,
)
from numpy.typing import NDArray

from rushlight.backends.base import RopeTable


def table(n_rot: int, interleaved: bool) -> RopeTable:
    frequencies = 10000.0 ** (-2 * np.arange(n_rot // 2) / n_rot)
    angles = np.arange(N_CTX)[:, None] * frequencies
    # A magnitude other than 1, as YaRN and LongRoPE scale it.
    cos, sin = 1.19 * np.cos(angles), 1.19 * np.sin(angles)
    return RopeTable(cos.astype(np.float32), sin.astype(np.float32), interleaved)


def rope(rotations: RopeTable, n_head: int) -> Build:
    return lambda backend: lambda ops, x: ops.rope(x, rotations, n_head)


def exact_rope(x: Floats, rotations: RopeTable, n_head: int, start: int) -> NDArray[np.float64]:
    """Pairs as complex numbers, turned by ``cos + i sin``."""
    n_rot = rotations.n_rot
    columns = np.arange(n_rot)
    pairs = columns.reshape(-1, 2).T if rotations.interleaved else columns.reshape(2, -1)
    positions = np.arange(start, start + len(x))
    turn = rotations.cos[positions].astype(np.float64) + 1j * rotations.sin[positions]
    heads = x.astype(np.float64).reshape(len(x), n_head, -1)
    turned = (heads[..., pairs[0]] + 1j * heads[..., pairs[1]]) * turn[:, None]
    heads[..., pairs[0]], heads[..., pairs[1]] = turned.real, turned.imag
    return heads.reshape(x.shape)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(
    ("head_dim", "n_rot"),
    [
        (8, 8),
        (24, 24),
        (64, 64),
        (64, 16),
        (80, 32),
        (80, 80),
        (96, 96),
        (96, 50),
        (128, 128),
        (256, 64),
        (7, 2),
    ],
)
@pytest.mark.parametrize("n_head", [1, 3, 8])
def test_rope(head_dim: int, n_rot: int, n_head: int, interleaved: bool) -> None:
    rotations = table(n_rot, interleaved)
    x = randn(max(TOKEN_COUNTS), n_head * head_dim)
    executor = PoisonedExecutor(rope(rotations, n_head), x)
    for n_tokens, start in zip(TOKEN_COUNTS, (0, 1, 5, 299 - 4, 64, 0, 200, 31, 32, 170), strict=True):
        found = executor.rows(n_tokens, start)
        assert_close(found, exact_rope(x[:n_tokens], rotations, n_head, start), atol=1e-6)
        passed = found.reshape(n_tokens, n_head, -1)[..., n_rot:]
        np.testing.assert_array_equal(passed, x[:n_tokens].reshape(n_tokens, n_head, -1)[..., n_rot:])
    executor.close()


@pytest.mark.parametrize("interleaved", [False, True])
def test_position_zero_of_an_unscaled_table_changes_nothing(interleaved: bool) -> None:
    ones, zeros = np.ones((N_CTX, 12), np.float32), np.zeros((N_CTX, 12), np.float32)
    x = randn(1, 3 * 40)
    found = cpu_rows(rope(RopeTable(ones, zeros, interleaved), 3), x)
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("interleaved", [False, True])
def test_a_view_of_columns_agrees_with_the_reference(interleaved: bool) -> None:
    x, rotations = randn(9, 100), table(10, interleaved)

    def build(backend: Any) -> Any:
        return lambda ops, y: ops.rope(y.columns(17, 17 + 72), rotations, 3)

    assert_close(cpu_rows(build, x, start=40), reference_rows(build, x, start=40), atol=1e-6)


def test_tables_of_other_layouts_are_taken_over_as_numbers() -> None:
    """A table in float64, or a slice of another, gives what its float32 copy gives."""
    rotations = table(16, interleaved=False)
    cos, sin = (np.repeat(a.astype(np.float64), 2, axis=1)[:, ::2] for a in (rotations.cos, rotations.sin))
    x = randn(4, 32)
    found = cpu_rows(rope(RopeTable(cos, sin, interleaved=False), 2), x, start=9)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found, cpu_rows(rope(rotations, 2), x, start=9))


def test_each_sequence_has_its_own_positions() -> None:
    rotations = table(16, interleaved=True)
    x = randn(6, 16)
    executor = PoisonedExecutor(rope(rotations, 1), x)
    batch = flat_batch(range(6))
    batch.positions[:] = [100, 101, 0, 1, 2, 57]
    batch.token_seq[:] = [0, 0, 1, 1, 1, 2]
    ragged = type(batch)(
        batch.token_ids, batch.positions, batch.token_seq, np.array([0, 2, 5, 6], np.int32), (), batch.outputs
    )
    found = executor.step(ragged)
    for rows, start in ((slice(0, 2), 100), (slice(2, 5), 0), (slice(5, 6), 57)):
        assert_close(found[rows], exact_rope(x[rows], rotations, 1, start), atol=1e-6)
    executor.close()
