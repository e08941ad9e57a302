"""A recorded model from outside: what it refuses, what it shares, and memory that is used again."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers.batches import Paging, Piece, int32
from helpers.cpu import (
    N_CTX,
    PoisonedExecutor,
    TableModel,
    assert_close,
    cpu_backend,
    randn,
    table_limits,
    tensor,
)

from rushlight.backends.base import Limits, RopeTable
from rushlight.backends.cache import AttentionCache, CacheLayout, RecurrentCache
from rushlight.backends.cpu.memory import Region
from rushlight.backends.reference import ReferenceBackend
from rushlight.errors import InvalidFile, InvalidParameter, OutOfMemory

LAYOUT = CacheLayout.of((AttentionCache(1, 8, 8), AttentionCache(1, 8, 8, window=40)))
ANGLES = np.random.default_rng(0).uniform(0, 6, (N_CTX, 4))
ROPE = RopeTable(np.cos(ANGLES).astype(np.float32), np.sin(ANGLES).astype(np.float32), False)
LIMITS = Limits(8, 2, 8, 128, (8, 8), "f16")


def small_decoder(backend: Any) -> Any:
    """Two layers of every kind of op but the quantized ones, whose rounding would hide small mistakes."""
    norm, biases = backend.vector(tensor(randn(32, seed=1))), backend.vector(tensor(randn(32, seed=2)))
    qkv = backend.matrix(tensor(randn(16, 32, seed=3) / 6), tensor(randn(16, 32, seed=4) / 6))
    out, up = (
        backend.matrix(tensor(randn(32, 16, seed=5) / 4)),
        backend.matrix(tensor(randn(96, 32, seed=6) / 6)),
    )
    down = backend.matrix(tensor(randn(32, 48, seed=7) / 7))

    def layer(ops: Any, x: Any, index: int, gate: str) -> Any:
        h = ops.linear(ops.rms_norm(x, norm, 1e-5), qkv, biases)
        q, k = ops.rope(h.columns(0, 16), ROPE, 2), ops.rope(h.columns(16, 24), ROPE, 1)
        x = ops.add(x, ops.linear(ops.attention(q, k, h.columns(24, 32), index, 8**-0.5), out))
        h = ops.linear(ops.layer_norm(x, norm, biases, 1e-5), up)
        return ops.add(x, ops.linear(getattr(ops, gate)(h.columns(0, 48), h.columns(48, 96)), down))

    def forward(ops: Any, x: Any) -> Any:
        x = layer(ops, layer(ops, x, 0, "silu_mul"), 1, "gelu_mul")
        return ops.linear(ops.gelu(ops.outputs(x)), up)

    return forward


STEPS = [
    [Piece(list(range(50)), 0, 0), Piece(list(range(7, 12)), 0, 1)],
    [Piece([3], 50, 0), Piece([5], 5, 1), Piece([1, 2, 3], 0, 2)],
    [Piece(list(range(20, 60)), 51, 0)],
]


def test_a_whole_model_agrees_with_the_reference() -> None:
    """Buffers share memory here, every one of them full of NaN before each step."""
    x, paging = randn(64, 32), Paging(LAYOUT, 128, 3)
    cpu = PoisonedExecutor(small_decoder, x, LAYOUT, paging.n_blocks)
    buffers = cpu.executor.binding.recording.buffers
    assert len(cpu.arena) < sum(b.row_bytes for b in buffers) * (len(x) + 3) / 3
    backend = ReferenceBackend()
    model = TableModel(small_decoder(backend), backend.embedding(tensor(x)), LAYOUT)
    reference = backend.executor(model, table_limits(x, paging.n_blocks))
    for pieces in STEPS:
        n = sum(len(piece.ids) for piece in pieces)
        batch = paging.batch(pieces, outputs=sorted({0, n // 2, n - 1}))
        # A key near the middle of two halves may be rounded to the other one.
        assert_close(cpu.step(batch), reference.step(batch), atol=2e-3, rtol=1e-3)
    cpu.close()


def test_executors_of_one_backend_do_not_touch_each_other() -> None:
    x, paging = randn(64, 32), Paging(LAYOUT, 128, 3)
    alone = PoisonedExecutor(small_decoder, x, LAYOUT, paging.n_blocks)
    expected = [alone.step(paging.batch(pieces)) for pieces in STEPS]
    pair = [PoisonedExecutor(small_decoder, x, LAYOUT, paging.n_blocks) for _ in range(2)]
    for pieces, rows in zip(STEPS, expected, strict=True):
        for executor in pair:
            np.testing.assert_array_equal(executor.step(paging.batch(pieces)), rows)


def executor(limits: Limits = LIMITS) -> Any:
    backend = cpu_backend()
    model = TableModel(small_decoder(backend), backend.embedding(tensor(randn(64, 32))), LAYOUT)
    return backend.executor(model, limits)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("token_ids", [1, 2, 64, 4, 5], "token_ids of a batch holds 64"),
        ("token_ids", [1, 2, -1, 4, 5], "token_ids of a batch holds -1"),
        ("positions", [62, 63, 64, 127, 128], "positions of a batch holds 128"),
        ("token_seq", [0, 0, 0, 2, 2], "token_seq"),
        ("query_start", [0, 3, 6], "query_start"),
        ("outputs", [5], "outputs of a batch holds 5"),
        ("outputs", [1, 1], "ascend"),
    ],
)
def test_a_wrong_batch_is_refused_and_harms_nothing(field: str, value: list[int], words: str) -> None:
    runs, paging = executor(), Paging(LAYOUT, 128, 2)
    good = paging.batch([Piece([1, 2, 3], 0, 0), Piece([4, 5], 0, 1)])
    expected = runs.step(good).copy()
    with pytest.raises(InvalidParameter, match=words):
        runs.step(dataclasses.replace(good, **{field: int32(value)}))
    tables = tuple(np.full_like(table, 99) for table in good.block_tables)
    with pytest.raises(InvalidParameter, match="holds 99"):
        runs.step(dataclasses.replace(good, block_tables=tables))
    np.testing.assert_array_equal(runs.step(good), expected)


def test_more_than_the_limits_is_refused() -> None:
    runs, paging = executor(), Paging(LAYOUT, 128, 3)
    with pytest.raises(InvalidParameter, match="9 tokens"):
        runs.step(paging.batch([Piece(list(range(9)))]))
    with pytest.raises(InvalidParameter, match="3 sequences"):
        runs.step(paging.batch([Piece([1], slot=slot) for slot in range(3)]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kv_dtype": "f8"}, 'kv_dtype is "f8"'),
        ({"n_blocks": (8,)}, "n_blocks has 1 entries; the model needs 2"),
        ({"n_ctx": N_CTX + 1}, f"n_ctx is {N_CTX + 1}; the model was loaded for {N_CTX}"),
    ],
)
def test_limits_that_do_not_fit_the_model_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        executor(dataclasses.replace(LIMITS, **change))


@pytest.mark.parametrize(
    ("group", "source", "target"), [(2, 0, 0), (-1, 0, 0), (0, 8, 0), (0, 0, -1), (1, 0, 8)]
)
def test_copying_a_block_that_is_not_there_is_refused(group: int, source: int, target: int) -> None:
    with pytest.raises(InvalidParameter, match=f"Cache group {group} has"):
        executor().copy_block(group, source, target)
    with pytest.raises(InvalidParameter, match=f"Cache group {group} has"):
        executor().read_block(group, min(source, target) or max(source, target))
    with pytest.raises(InvalidParameter, match=f"Cache group {group} has"):
        executor().write_block(group, min(source, target) or max(source, target), b"")


def test_a_copied_state_is_the_whole_state() -> None:
    backend, layout = cpu_backend(), CacheLayout.of((RecurrentCache((3, 5), (2, 8)), RecurrentCache((4,))))
    model = TableModel(lambda ops, x: ops.outputs(x), backend.embedding(tensor(randn(4, 8))), layout)
    cache = backend.executor(model, Limits(4, 1, 4, 16, (3,))).binding.cache
    regions = {key: region.bytes for key, region in cache._regions.items()}
    assert [len(region) for region in regions.values()] == [3 * 192, 3 * 64, 3 * 64, 0]
    for region in regions.values():
        region.reshape(3, len(region) // 3)[1] = 7
    cache.copy(0, 1, 2)
    for region in regions.values():
        blocks = region.reshape(3, len(region) // 3)
        assert (blocks[1:] == 7).all()
        assert (blocks[0] == 0).all()
    content = cache.read(0, 1)
    assert content == bytes([7]) * (192 + 64 + 64)
    cache.write(0, 0, content)
    assert all((region == 7).all() for region in regions.values())
    with pytest.raises(InvalidParameter, match="group 0 has 320 bytes, not 319"):
        cache.write(0, 0, content[1:])


def test_memory_that_cannot_be_had_is_told_as_such() -> None:
    with pytest.raises(OutOfMemory, match="for the KV cache; choose a smaller"):
        executor(dataclasses.replace(LIMITS, n_blocks=(1 << 50, 8)))
    with pytest.raises(OutOfMemory, match="for nothing in particular"):
        Region(1 << 62, "nothing in particular")
    assert Region(0, "nothing").n_bytes == 0


def test_stacked_matrices_have_equal_columns() -> None:
    backend = cpu_backend()
    with pytest.raises(InvalidFile, match="equal numbers of columns"):
        backend.matrix(tensor(randn(4, 8)), tensor(randn(4, 16)))
    with pytest.raises(InvalidFile, match="not none"):
        backend.matrix()


@pytest.mark.parametrize("name", ["cpu", "reference"])
def test_advancing_gives_what_a_step_gives(name: str) -> None:
    """Past a window of 40, in every place of a block but its first."""
    backend = cpu_backend() if name == "cpu" else ReferenceBackend()
    table = backend.embedding(tensor(randn(60, 32)))
    model = TableModel(small_decoder(backend), table, LAYOUT)
    limits = Limits(100, 2, 4, 95, (8, 8), "f16")
    paging = Paging(LAYOUT, 128, 2)
    whole, short = (backend.executor(model, limits) for _ in range(2))
    for executor in (whole, short):
        executor.step(paging.batch([Piece(range(40), 0, 0), Piece(range(10), 0, 1)], outputs=[39]))
    n_short = 0
    for n in range(55):
        ids = [n % 7 * 5, n % 11 * 3]
        batch = paging.batch([Piece(ids[:1], 40 + n, 0), Piece(ids[1:], 10 + n, 1)])
        expected = whole.step(batch).copy()
        if n == 0 or (40 + n) % 32 == 0 or (10 + n) % 32 == 0:
            found = short.step(batch)
        else:
            found = short.advance(ids)
            n_short += 1
        assert np.array_equal(found, expected)
        assert short.argmax() == whole.argmax()
    assert n_short == 51
    with pytest.raises(InvalidParameter, match="positions of a batch holds 95"):
        short.advance([1, 1])
    whole.close()
    short.close()


@pytest.mark.parametrize("name", ["cpu", "reference"])
def test_advancing_where_no_batch_allows_it_is_refused(name: str) -> None:
    backend = cpu_backend() if name == "cpu" else ReferenceBackend()
    model = TableModel(small_decoder(backend), backend.embedding(tensor(randn(60, 32))), LAYOUT)
    executor, paging = backend.executor(model, Limits(100, 2, 8, 128, (8, 8), "f16")), Paging(LAYOUT, 128, 2)
    refused = pytest.raises(InvalidParameter)
    with refused:
        executor.advance([])
    with refused:
        executor.advance([1])
    executor.step(paging.batch([Piece([1, 2])], outputs=[0, 1]))
    with refused:
        executor.advance([1, 2])
    executor.step(paging.batch([Piece([1], 2), Piece([1], 30, 1)]))
    for ids in ([1], [1, 60], [1, -1], [1, 1, 1]):
        with refused:
            executor.advance(ids)
    executor.advance([1, 1])
    with pytest.raises(InvalidParameter, match="Position 32 begins a block"):
        executor.advance([1, 1])
    executor.close()
