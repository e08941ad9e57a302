"""Choosing positions and blocks: against the definition, the reference backend, and other batches."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from helpers.batches import Piece
from helpers.cpu import Floats, assert_close, runs_here
from helpers.top_positions import BlockChooser, Chooser, cpu_rows, reference_rows

from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.scratch import CHUNK
from rushlight.backends.cpu.target import TARGETS

CHOOSERS = [
    Chooser(1, 8, 1),
    Chooser(3, 40, 5),
    Chooser(4, 24, 16, kv_dtype="f16"),
    Chooser(6, 7, 33),
    Chooser(9, 64, 64, kv_dtype="f16"),
]
BLOCK_CHOOSERS = [
    BlockChooser(1, 8, 2, size=8),
    BlockChooser(2, 40, 3, n_attending=4, size=5, n_local=2, kv_dtype="f16"),
    BlockChooser(3, 7, 1, n_attending=3, size=32),
    BlockChooser(4, 24, 20, n_attending=8, size=1, n_local=4),
    BlockChooser(2, 16, 2, n_attending=2, size=33),
]
N = 96


def whole_numbers(chooser: Chooser, seed: int = 0) -> Floats:
    """Small whole numbers, whose sums are exact and often equal."""
    x = chooser.table(N, seed)
    for part in chooser.split(x)[:3]:
        part[:] = np.round(part)
    return chooser.showing(x)


def pieces_of(cuts: list[int], slot: int = 0) -> list[list[Piece]]:
    return [[Piece(range(a, b), a, slot)] for a, b in pairwise(cuts)]


@pytest.mark.parametrize("chooser", CHOOSERS, ids=str)
def test_both_backends_choose_as_defined(chooser: Chooser) -> None:
    """Of equal scores, of which there are many, the earlier positions; in steps large and small."""
    x = whole_numbers(chooser)
    expected = chooser.defined(x, N)
    steps = pieces_of([0, 1, 9, 40, 41, 44, 80, N])
    for rows in (cpu_rows(chooser, x, steps), reference_rows(chooser, x, steps)):
        np.testing.assert_array_equal(np.concatenate(rows) != 0, expected)
    assert (expected.sum(axis=1) == np.minimum(np.arange(N) + 1, chooser.n_top)).all()


@pytest.mark.parametrize("chooser", BLOCK_CHOOSERS, ids=str)
def test_each_head_chooses_blocks_as_defined(chooser: BlockChooser) -> None:
    x = whole_numbers(chooser)
    expected = chooser.defined(x, N).reshape(N, chooser.n_head, 1, N)
    steps = pieces_of([0, 1, 9, 40, 41, 44, 80, N])
    for rows in (cpu_rows(chooser, x, steps), reference_rows(chooser, x, steps)):
        found = np.concatenate(rows).reshape(N, chooser.n_head, -1, N) != 0
        np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))
    assert not expected[-1].all(), "the last token sees every position"


@pytest.mark.parametrize("chooser", [*CHOOSERS[1:4], *BLOCK_CHOOSERS[:3]], ids=str)
def test_what_is_attended_to_agrees_with_the_reference(chooser: Chooser) -> None:
    chooser = replace(chooser, n_attending=6, attend_dim=24, value_dim=40)
    x = chooser.table(256)
    ids = np.random.default_rng(5).integers(0, 256, (4, 100)).tolist()

    def piece(slot: int, start: int, stop: int) -> Piece:
        return Piece(ids[slot][start:stop], start, slot)

    steps = [
        [piece(0, 0, 63), piece(1, 0, 5), piece(2, 0, 1), piece(3, 0, 33)],
        [piece(3, 33, 34), piece(0, 63, 64), piece(1, 5, 9), piece(2, 1, 66)],
        [piece(0, 64, 100)],
        [piece(2, 66, 67), piece(3, 34, 41)],
    ]
    found, expected = cpu_rows(chooser, x, steps), reference_rows(chooser, x, steps)
    for rows, wanted in zip(found, expected, strict=True):
        assert_close(rows, wanted, 4e-6)


@pytest.mark.parametrize(
    "chooser",
    [
        Chooser(5, 24, 100, 3, value_dim=24),
        Chooser(2, 8, 2, 3, value_dim=24),  # most chunks have none of these
        BlockChooser(3, 24, 5, 3, value_dim=24, size=20, n_local=2),
        BlockChooser(2, 24, 1, 4, value_dim=24, size=64),
    ],
    ids=str,
)
def test_chunks_threads_and_targets_do_not_change_a_bit(chooser: Chooser) -> None:
    """Across several chunks of positions, in steps that are split and in one that is not."""
    n = 2 * CHUNK + 40
    x = chooser.table(n)
    whole = np.concatenate(cpu_rows(chooser, x, pieces_of([0, n]), 1))
    cuts = [0, CHUNK - 12, *range(CHUNK - 6, CHUNK + 3), 2 * CHUNK - 3, 2 * CHUNK + 3, n - 8, n - 1, n]
    for target in filter(runs_here, TARGETS):
        backend = CpuBackend(3, target=target)
        found = np.concatenate(cpu_rows(chooser, x, pieces_of(cuts), 1, backend))
        np.testing.assert_array_equal(found, whole)
    assert_close(whole, np.concatenate(reference_rows(chooser, x, pieces_of([0, n]), 1)), 4e-6)


@pytest.mark.parametrize(
    "scores",
    [
        [0.0, -0.0, 1e-45, -1e-45, 0.0, 1e-38, -1e-38, -0.0],
        [3e38, 1.0, -3e38, 2.0, 3e38, -1.0, 3.4e38, -3.4e38],
        [1.0 + i * 2.0**-23 for i in (3, 1, 2, 1, 0, 1, 3, 2)],
        [-2.0] * 8,
    ],
)
@pytest.mark.parametrize("n_top", range(1, 8))
def test_any_scores_have_an_order(scores: list[float], n_top: int) -> None:
    """A positive key passes the first head, a negative one the second, whose weight gives its sign back."""
    chooser = Chooser(2, 1, n_top, value_dim=8)
    x = chooser.showing(chooser.table(8))
    q, w, k, *_ = chooser.split(x)
    q[:], w[:], k[:, 0] = (1, -1), (1, -1), scores
    expected = sorted(range(8), key=lambda p: (-float(k[p, 0]), p))[:n_top]
    for steps in (pieces_of([0, 8]), pieces_of([0, 7, 8])):
        for rows in (cpu_rows(chooser, x, steps, 1), reference_rows(chooser, x, steps, 1)):
            assert np.flatnonzero(rows[-1][-1]).tolist() == sorted(expected)


@pytest.mark.parametrize(("weight", "size"), [(np.nan, 1.0), (-np.inf, 1.0), (1e38, 1e38), (np.inf, 0.0)])
def test_scores_that_are_not_finite_choose_too(weight: float, size: float) -> None:
    """As many positions as ever: with NaN, or one infinity for all, the first ones."""
    chooser = Chooser(1, 1, 3, value_dim=8)
    x = chooser.showing(chooser.table(8))
    q, w, k, *_ = chooser.split(x)
    q[:], w[:], k[:] = size, weight, 1
    for steps in (pieces_of([0, 8]), pieces_of([0, 7, 8])):
        for rows in (cpu_rows(chooser, x, steps, 1), reference_rows(chooser, x, steps, 1)):
            assert np.flatnonzero(rows[-1][-1]).tolist() == [0, 1, 2]


@pytest.mark.parametrize("chooser", [CHOOSERS[1], BLOCK_CHOOSERS[2]], ids=str)
def test_what_one_sequence_left_in_a_block_never_reaches_the_next(chooser: Chooser) -> None:
    chooser = replace(chooser, kv_dtype="f16")
    x = chooser.table(N)
    x[90:] = np.nan
    expected = cpu_rows(chooser, x, pieces_of([0, 3, 38, 39]), 1)
    found = cpu_rows(chooser, x, [[Piece([90] * 64)], *pieces_of([0, 3, 38, 39])], 1)[1:]
    for rows, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(rows, wanted)


def test_misuse_is_refused() -> None:
    wrong = Chooser(2, 8, 0)
    with pytest.raises(ValueError, match="0 top_positions"):
        cpu_rows(wrong, wrong.table(4), pieces_of([0, 4]))
    blocks = BlockChooser(2, 8, 1, n_attending=2, n_local=2)
    with pytest.raises(ValueError, match="1 top_blocks of 8, 2 local"):
        cpu_rows(blocks, blocks.table(4), pieces_of([0, 4]))
