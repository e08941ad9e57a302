"""Attention over the paged cache: against the reference backend, and against itself in other batches."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from helpers.attention import Attention, Heads, reference_attention, run_steps
from helpers.batches import Paging, Piece
from helpers.cpu import Floats, PoisonedExecutor, TableModel, assert_close, table_limits, tensor

from rushlight.backends.cache import CacheLayout
from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.scratch import CHUNK
from rushlight.backends.reference import ReferenceBackend

IDS = np.random.default_rng(5).integers(0, 256, (4, 400)).tolist()


SINKS = (0.5, -2.0, 3.0, 1.0, -1000.0, 12.0)
SLOPES = (0.5, 0.25, 0.125, 0.0625, 0.7, 0.03)


def piece(slot: int, start: int, stop: int) -> Piece:
    return Piece(IDS[slot][start:stop], start, slot)


RAGGED = [
    [piece(0, 0, 63), piece(1, 0, 5), piece(2, 0, 1), piece(3, 0, 33)],
    [piece(3, 33, 34), piece(0, 63, 64), piece(1, 5, 9), piece(2, 1, 66)],
    [piece(0, 64, 194)],
    [piece(0, 194, 195), piece(1, 9, 10), piece(2, 66, 67), piece(3, 34, 41)],
    [piece(0, 195, 196)],
]
"""Prefill, chunks and single tokens of four sequences, together and alone."""


@pytest.mark.parametrize("kv_dtype", ["f16", "f32"])
@pytest.mark.parametrize(
    "heads",
    [
        Heads(1, 1, 8),
        Heads(3, 1, 24),
        Heads(3, 3, 64),
        Heads(8, 2, 80),
        Heads(4, 4, 96, window=5),
        Heads(8, 1, 128, softcap=20.0),
        Heads(4, 1, 256, window=33),
        Heads(6, 2, 40, 16, window=16),
        Heads(5, 1, 16, 40, softcap=3.0),
        Heads(9, 3, 7, 5, window=70, softcap=50.0),
        Heads(6, 2, 24, window=20, sinks=SINKS),
        Heads(5, 1, 16, 40, sinks=SINKS[:5]),
        Heads(6, 2, 24, slopes=SLOPES),
        Heads(3, 1, 40, window=21, softcap=9.0, slopes=SLOPES[:3]),
        Heads(3, 3, 24, ahead=1024),
        Heads(6, 2, 16, 40, window=12, ahead=11),
        Heads(2, 1, 7, 5, window=40, ahead=1),
        Heads(6, 3, 24, ahead=1024, slopes=SLOPES, sinks=SINKS),
        Heads(35, 35, 8, window=40),
        Heads(14, 2, 24, 112),
        Heads(82, 2, 8, window=37),
    ],
    ids=str,
)
def test_agrees_with_the_reference(heads: Heads, kv_dtype: str) -> None:
    heads = replace(heads, kv_dtype=kv_dtype)
    x = heads.table()
    cpu = Attention(heads, x)
    reference, paging = reference_attention(heads, x)
    # tanh is right to some units of 1, and a cap multiplies those.
    atol = 4e-6 + 2e-7 * heads.softcap
    for pieces in RAGGED:
        assert_close(cpu.step(pieces), reference.step(paging.batch(pieces)), atol)
    cpu.close()


@pytest.mark.parametrize(
    "heads",
    [
        Heads(8, 2, 24),
        Heads(3, 1, 64, window=20),
        Heads(1, 1, 80, softcap=9.0, kv_dtype="f32"),
        Heads(4, 4, 8),
        Heads(6, 2, 40, window=30, sinks=SINKS),
        Heads(6, 2, 40, slopes=SLOPES),
    ],
)
def test_chunks_batches_and_blocks_do_not_change_a_bit(heads: Heads) -> None:
    x = heads.table()
    whole = Attention(heads, x, n_slots=1)
    every = run_steps(whole, [[piece(0, 0, 150)]])[0]
    whole.close()
    cuts = [0, 1, 2, 5, 9, 16, 17, 31, 32, 33, 70, 97, 150]
    chunks = [[piece(0, a, b)] for a, b in pairwise(cuts)]
    tokens = [[piece(0, i, i + 1)] for i in range(150)]
    others = [
        [piece(1, 0, 3), piece(0, 0, 50), piece(2, 0, 7)],
        [piece(0, 50, 53), piece(3, 0, 1)],
        [piece(3, 1, 22), piece(0, 53, 150)],
    ]
    for seed, steps in enumerate([chunks, tokens, others], start=1):
        attention = Attention(heads, x, seed=seed)
        np.testing.assert_array_equal(run_steps(attention, steps)[0], every)
        attention.close()


@pytest.mark.parametrize("n", [3, 10])
@pytest.mark.parametrize(
    "heads", [Heads(35, 35, 8), Heads(14, 2, 24, 112, window=20), Heads(82, 2, 8)], ids=str
)
def test_tokens_of_several_sequences_are_as_each_alone(heads: Heads, n: int) -> None:
    """A step of few tokens hands out chunks of positions, one of many sequences their heads."""
    lengths = [1 + 37 * slot % 90 for slot in range(n)]
    second = [Piece([7 * slot], length, slot) for slot, length in enumerate(lengths)]
    attention = Attention(heads, heads.table(), n_slots=n, backend=CpuBackend(2))
    for slot, length in enumerate(lengths):
        attention.step([Piece(IDS[slot % 4][:length], 0, slot)])
    found = attention.step(second)
    for row, one in zip(found, second, strict=True):
        np.testing.assert_array_equal(attention.step([one])[0], row)
    attention.close()


@pytest.mark.parametrize(
    "heads",
    [
        Heads(3, 1, 16),
        Heads(4, 4, 8, window=300),
        Heads(5, 1, 24, 40, window=2 * CHUNK),
        Heads(2, 1, 16, window=CHUNK + 24, chunked=True),
        Heads(2, 1, 16, window=40, softcap=5.0),
        Heads(4, 2, 24, sinks=SINKS[:4]),
        Heads(4, 2, 24, slopes=SLOPES[:4]),
    ],
    ids=str,
)
def test_splitting_the_positions_does_not_change_a_bit(heads: Heads) -> None:
    """Few tokens are split into chunks of positions, many are not; and both agree with the reference."""
    n = 2 * CHUNK + 40
    ids = list(range(n))
    x = heads.table(n)
    whole = Attention(heads, x, n_slots=1)
    every = run_steps(whole, [[Piece(ids)]])[0]
    whole.close()
    cuts = [
        0,
        CHUNK - 20,
        CHUNK - 12,
        *range(CHUNK - 11, CHUNK + 9),
        2 * CHUNK - 9,
        2 * CHUNK + 30,
        n - 8,
        n - 1,
        n,
    ]
    split = Attention(heads, x, n_slots=1, backend=CpuBackend(3))
    found = run_steps(split, [[Piece(ids[a:b], a)] for a, b in pairwise(cuts)])[0]
    split.close()
    np.testing.assert_array_equal(found, every)
    reference, paging = reference_attention(heads, x)
    expected = reference.step(paging.batch([Piece(ids)]))
    assert_close(every, expected, 4e-6 + 2e-7 * heads.softcap)


@pytest.mark.parametrize(
    ("window", "chunked"), [*((n, False) for n in (0, 1, 2, 15, 16, 17, 32, 33, 99)), (1, True), (23, True)]
)
def test_which_positions_are_seen(window: int, chunked: bool) -> None:
    """Queries of 0 weigh every visible position alike, and value p is 1 in column p alone."""
    n = 100
    heads = Heads(2, 1, 16, 112, window=window, kv_dtype="f32", chunked=chunked)
    x = heads.table(n)
    q, _, v = heads.split(x)
    q[:], v[:] = 0, np.eye(n, 112)
    ids = list(range(n))
    steps = [[Piece(ids[:41])], [Piece(ids[41:42], 41)], [Piece(ids[42:], 42)]]
    attention = Attention(heads, x, n_slots=1)
    found = run_steps(attention, steps)[0].reshape(n, 2, 112)
    attention.close()
    position = np.arange(n)
    distance = position[:, None] - np.arange(112)
    seen = (distance >= 0) & (distance < (window or n))
    if chunked:
        seen &= position[:, None] // window == np.arange(112) // window
    for head in range(2):
        np.testing.assert_array_equal(found[:, head] != 0, seen)
        assert_close(found[:, head], seen / seen.sum(axis=1, keepdims=True), atol=1e-8)


@pytest.mark.parametrize("sink", [-1e30, -3.0, 0.0, 1.5, 80.0, 1e30])
def test_a_sink_takes_a_share_and_has_no_value(sink: float) -> None:
    """Queries of 0 weigh every position alike: with n of them each has ``1 / (n + exp(sink))``."""
    n = 50
    heads = Heads(2, 1, 16, 64, kv_dtype="f32", sinks=(sink, -1e30))
    x = heads.table(n)
    q, _, v = heads.split(x)
    q[:], v[:] = 0, np.eye(n, 64)
    attention = Attention(heads, x, n_slots=1)
    found = run_steps(attention, [[Piece(list(range(n)))]])[0].reshape(n, 2, 64)
    attention.close()
    seen = np.tril(np.ones((n, 64)))
    counts = np.arange(1, n + 1)[:, None]
    assert_close(found[:, 1], seen / counts, atol=1e-8)
    assert_close(found[:, 0], seen / (counts + np.exp(np.float64(min(sink, 700)))), atol=1e-7, rtol=1e-6)


def hard_values() -> Floats:
    """Around every rounding of a half: subnormal ones, ties, and the largest."""
    rng = np.random.default_rng(0)
    exponents = np.float32(2) ** rng.integers(-26, 16, 4000)
    values = rng.standard_normal(4000).astype(np.float32) * exponents
    halves = np.arange(0, 0x7C00, 37, np.uint16).view(np.float16).astype(np.float32)
    ties = (halves[:-1] + halves[1:]) / 2
    numbers = np.concatenate([values, halves, ties, [65504, 65519, 0.0, -0.0, 6e-8, 2.9e-8, 3e-8]])
    numbers = numbers[np.abs(numbers) < 65520]
    return numbers[: len(numbers) // 64 * 64].reshape(-1, 64).astype(np.float32)


@pytest.mark.parametrize(("kv_dtype", "dtype"), [("f16", np.float16), ("f32", np.float32)])
def test_values_are_rounded_to_the_cache(kv_dtype: str, dtype: type) -> None:
    """A first token sees only itself, so its result is its value as the cache keeps it."""
    values = hard_values()
    heads = Heads(1, 1, 8, 64, kv_dtype=kv_dtype)
    x = heads.table(len(values))
    heads.split(x)[2][:] = values
    attention = Attention(heads, x, n_slots=len(values))
    found = attention.step([Piece([i], slot=i) for i in range(len(values))])
    attention.close()
    np.testing.assert_array_equal(found, values.astype(dtype).astype(np.float32))


def test_halves_out_of_range_are_clamped() -> None:
    heads = Heads(1, 1, 8, 8)
    x = heads.table(1)
    heads.split(x)[2][:] = [65520, -65520, 1e30, -1e30, np.inf, -np.inf, np.nan, 65519]
    attention = Attention(heads, x)
    found = attention.step([Piece([0])])[0]
    attention.close()
    assert found.tolist() == [65504, -65504, 65504, -65504, 65504, -65504, -65504, 65504]


@pytest.mark.parametrize("kv_dtype", ["f16", "f32"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e38])
def test_what_one_sequence_left_in_a_block_never_reaches_the_next(kv_dtype: str, wrong: float) -> None:
    """Blocks are used again without being cleared; positions not yet written hold whatever was there."""
    heads = Heads(4, 2, 24, window=20, kv_dtype=kv_dtype)
    x = heads.table()
    _, k, v = heads.split(x)
    k[255], v[254], k[253], v[253] = wrong, wrong, wrong, wrong
    steps = [[piece(0, 0, 3)], [piece(0, 3, 38)], [piece(0, 38, 39)]]
    clean = Attention(heads, x, clear=True)
    expected = run_steps(clean, steps)[0]
    clean.close()
    used = Attention(heads, x, clear=True)
    used.step([Piece([255, 254, 253, 3] * 32)])
    np.testing.assert_array_equal(run_steps(used, steps)[0], expected)
    used.close()


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_sequence_that_is_not_finite_leaves_others_in_its_step_alone(wrong: float) -> None:
    heads = Heads(4, 2, 24)
    x = heads.table()
    x[255] = wrong
    attention = Attention(heads, x, clear=True)
    good = [piece(0, 0, 6), piece(1, 0, 1), piece(2, 0, 34)]
    expected = attention.step(good)
    paging, executor = attention.paging, attention.poisoned.executor
    found = executor.step(paging.batch([Piece([255] * 5, slot=3), *good[:1], *good[1:]]))
    np.testing.assert_array_equal(found[5:], expected)
    attention.close()


@pytest.mark.parametrize("size", [1e4, 1e8, 3e-5])
def test_large_scores_do_not_overflow(size: float) -> None:
    heads = Heads(2, 1, 16, kv_dtype="f32")
    x = heads.table()
    heads.split(x)[0][:] *= np.float32(size)
    cpu = Attention(heads, x)
    reference, paging = reference_attention(heads, x)
    for pieces in RAGGED[:3]:
        assert_close(cpu.step(pieces), reference.step(paging.batch(pieces)), atol=1e-4)
    cpu.close()


@pytest.mark.parametrize("kv_dtype", ["f16", "f32"])
def test_only_the_slots_of_the_tokens_are_written(kv_dtype: str) -> None:
    heads = Heads(2, 2, 24, 40, kv_dtype=kv_dtype)
    attention = Attention(heads, heads.table())
    attention.step([piece(0, 0, 37), piece(1, 0, 2)])
    itemsize = 2 if kv_dtype == "f16" else 4
    tables = attention.paging.tables[0]
    for (_, values), region in attention.poisoned.kv_regions.items():
        numbers = region.reshape(-1, itemsize)
        blocks = (numbers != 0xFF).any(axis=1).reshape(attention.paging.n_blocks[0], -1).sum(axis=1)
        expected = np.zeros_like(blocks)
        per_token = 2 * (40 if values else 24)
        expected[tables[0, 0]], expected[tables[0, 1]] = 32 * per_token, 5 * per_token
        expected[tables[1, 0]] = 2 * per_token
        np.testing.assert_array_equal(blocks, expected)
    attention.close()


def test_a_copied_block_reads_as_the_original() -> None:
    heads = Heads(4, 2, 24, 40)
    attention = Attention(heads, heads.table())
    first = attention.step([piece(0, 0, 40)])
    tables = attention.paging.tables[0]
    for column in (0, 1):
        attention.poisoned.executor.copy_block(0, int(tables[0, column]), int(tables[2, column]))
    other = Attention(heads, heads.table(), seed=9)
    for column in (0, 1):
        content = attention.poisoned.executor.read_block(0, int(tables[0, column]))
        other.poisoned.executor.write_block(0, int(other.paging.tables[0][1, column]), content)
    elsewhere = other.step([Piece(IDS[0][40:41], 40, 1)])
    again = attention.step([piece(0, 40, 41), Piece(IDS[0][40:41], 40, 2)])
    np.testing.assert_array_equal(again[0], again[1])
    np.testing.assert_array_equal(again[:1], elsewhere)
    other.close()
    fresh = run_steps(Attention(heads, heads.table(), seed=3), [[piece(0, 0, 41)]])[0]
    np.testing.assert_array_equal(np.concatenate([first, again[:1]]), fresh)
    attention.close()


def test_layers_of_different_kinds_have_their_own_tables() -> None:
    """Two layers with a window, one without: two cache groups whose blocks lie in different places."""
    full, narrow = Heads(2, 1, 16), Heads(2, 1, 16, window=18)
    layout = CacheLayout.of((narrow.spec, full.spec, narrow.spec))
    x = full.table()

    def forward(ops, y):  # type: ignore[no-untyped-def]
        parts = y.columns(0, 32), y.columns(32, 48), y.columns(48, 64)
        first = ops.attention(*parts, 0, 0.25)
        second = ops.attention(first, *parts[1:], 1, 0.25)
        return ops.attention(ops.add(first, second), *parts[1:], 2, 0.25)

    paging = Paging(layout, 512, 4)
    cpu = PoisonedExecutor(lambda backend: forward, x, layout, paging.n_blocks)
    backend = ReferenceBackend()
    model = TableModel(forward, backend.embedding(tensor(x)), layout)
    reference = backend.executor(model, table_limits(x, paging.n_blocks))
    for pieces in RAGGED:
        batch = paging.batch(pieces)
        assert_close(cpu.step(batch), reference.step(batch), atol=1e-5)
    cpu.close()
