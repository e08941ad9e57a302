"""Several steps in one native call: the tokens and bits of as many calls of one step each."""

from __future__ import annotations

import threading
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.batches import TINY, Paging, Piece, open_executor
from helpers.cpu import NO_CACHE, TableModel, cpu_backend, flat_batch, randn, table_limits, tensor
from helpers.random_models import metadata_of, tensors_of, write_model
from helpers.recurrent_models import RECURRENT_MODELS

from rushlight.backends.base import Executor
from rushlight.backends.batch import Batch
from rushlight.backends.cache import BLOCK_TOKENS, AttentionCache, CacheLayout
from rushlight.backends.cpu import CpuBackend
from rushlight.backends.decoding import decode_by_steps
from rushlight.backends.reference import ReferenceBackend
from rushlight.drawing import Draw
from rushlight.errors import InvalidParameter
from rushlight.gguf import GGMLType, open_gguf
from rushlight.models import load_model
from rushlight.row_math import NUMPY_ROWS

NO_IDS = np.empty(0, np.int64)
STARTS = (70, 33, 2)
"""Positions of three sequences, all within a block, and one of them beyond a window of 64."""


def open_tiny(path: Path, n_threads: int) -> tuple[Any, Paging]:
    backend = CpuBackend(n_threads)
    with open_gguf(path) as file:
        return open_executor(backend, load_model(file, backend, 128), 128, len(STARTS))


def prompts(executor: Executor, paging: Paging) -> list[int]:
    """Compute three prompts; the tokens that follow."""
    ids = np.random.default_rng(3).integers(0, 320, 128).tolist()
    ends = np.cumsum(STARTS) - 1
    executor.step(paging.batch([Piece(ids[:n], slot=i) for i, n in enumerate(STARTS)], ends))
    return [best.place for best in executor.argmax()]


def following(paging: Paging, tokens: list[int]) -> Batch:
    """The step behind the prompts."""
    return paging.batch([Piece([tokens[i]], n, i) for i, n in enumerate(STARTS)])


def check(path: Path, n_threads: int) -> None:
    (loop, paging), (single, _) = open_tiny(path, n_threads), open_tiny(path, 1)
    tokens = prompts(loop, paging)
    assert prompts(single, paging) == tokens
    first = paging.batch(
        [Piece([i], n, slot) for slot, (i, n) in enumerate(zip(tokens, STARTS, strict=True))]
    )
    single.row_math = NUMPY_ROWS
    drawn = [Draw(0.8, [0.1, 0.9, 0.5]), None, Draw(1.7, [0.7, 0.99, 0.0], 40, 0.9, 0.01)]
    calls: list[tuple[Any, int, Any]] = [(first, 5, ()), (None, 1, ()), (None, 3, drawn), (None, 8, ())]
    for begin, n_steps, draws in calls:
        got = loop.decode(begin or tokens, n_steps, NO_IDS, draws)
        want = decode_by_steps(single, begin or tokens, n_steps, NO_IDS, draws)
        assert got == want
        assert len(got) == n_steps
        np.testing.assert_array_equal(loop.logits(), single.logits())
        assert loop.argmax() == single.argmax()
        tokens = got[-1]
    np.testing.assert_array_equal(loop.advance(tokens), single.advance(tokens))
    loop.close(), single.close()


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("name", ["llama-mix", "gemma3-q4_k_m"])
def test_steps_in_one_call_give_the_bits_of_steps_alone(name: str, n_threads: int) -> None:
    check(TINY / f"{name}.gguf", n_threads)


@pytest.mark.parametrize("model", RECURRENT_MODELS[:2], ids=lambda model: model.name)
def test_states_move_along(model: Any, tmp_path: Path) -> None:
    write_model(tmp_path / "model.gguf", metadata_of(model), tensors_of(model), GGMLType.Q8_0)
    check(tmp_path / "model.gguf", 2)


def test_the_reference_backend_goes_step_by_step() -> None:
    backend = ReferenceBackend()
    with open_gguf(TINY / "llama-f32.gguf") as file:
        executor, paging = open_executor(backend, load_model(file, backend, 128), 128, len(STARTS))
    (cpu, _) = open_tiny(TINY / "llama-f32.gguf", 2)
    tokens = prompts(executor, paging)
    assert prompts(cpu, paging) == tokens
    first = paging.batch(
        [Piece([i], n, slot) for slot, (i, n) in enumerate(zip(tokens, STARTS, strict=True))]
    )
    assert executor.decode(first, 6, NO_IDS) == cpu.decode(first, 6, NO_IDS)


def chain(n: int = 64, bad: int | None = None) -> Any:
    """A model of n tokens behind each of which the next one follows; behind `bad` nothing is finite."""
    backend = cpu_backend()
    table, following = np.eye(n, dtype=np.float32), np.roll(np.eye(n, dtype=np.float32), 1, 0)
    if bad is not None:
        table[bad, bad] = np.inf
    matrix, norm = backend.matrix(tensor(following)), backend.matrix(tensor(randn(24, n)))
    layout = CacheLayout.of((AttentionCache(1, 8, 8),))

    def run(ops: Any, x: Any) -> Any:
        h = ops.linear(x, norm)
        seen = ops.attention(h.columns(0, 8), h.columns(8, 16), h.columns(16, 24), 0, 1.0)
        return ops.outputs(ops.add(ops.linear(x, matrix), ops.scale(ops.linear(seen, zeros), 0.0)))

    zeros = backend.matrix(tensor(np.zeros((n, 8), np.float32)))
    model = TableModel(run, backend.embedding(tensor(table)), layout)
    executor = backend.executor(model, table_limits(table, (8,)))
    return executor, Paging(layout, 128, 2)


def begin(paging: Paging, *tokens: int, position: int = 3) -> Batch:
    return paging.batch([Piece([token], position, slot) for slot, token in enumerate(tokens)])


def rows_model(n: int, n_threads: int) -> Any:
    """A model whose logits behind each token are a row of numbers: ordinary, with ties, huge, tiny, equal."""
    backend = cpu_backend(n_threads)
    normal = randn(n, n, seed=n) * np.float32(4)
    table = np.where(np.arange(n)[:, None] % 2, normal, np.round(normal))
    table[3::7] *= np.float32(1e37)
    table[4::7] *= np.float32(1e-41)
    table[5::7] = np.float32(-3.25)
    model = TableModel(lambda ops, x: ops.outputs(ops.add(x, x)), backend.embedding(tensor(table)), NO_CACHE)
    return backend.executor(model, table_limits(table))


CUTS = [(0, 1.0, 0.0), (1, 1.0, 0.0), (40, 1.0, 0.0), (7, 0.6, 0.0), (40, 0.95, 0.05), (128, 0.8, 0.0),
        (128, 1.0, 0.02), (64, 1e-9, 1.0), (128, 0.999999, 1e-9)]  # fmt: skip


@pytest.mark.parametrize(("n", "n_threads"), [(5, 1), (511, 1), (513, 2), (1100, 2)])
def test_draws_are_those_of_numpy(n: int, n_threads: int) -> None:
    loop, single = rows_model(n, n_threads), rows_model(n, 1)
    single.row_math = NUMPY_ROWS
    rng = np.random.default_rng(n)
    tokens = set()
    for temperature, cuts in product((1.0, 0.3, 1e-300, 50.0, 1e15), CUTS):
        for token in range(3):
            draws = [Draw(temperature, [0.0, 1 - 2.0**-53, *rng.random(8).tolist()], *cuts)]
            first = flat_batch([token], start=4)
            got = loop.decode(first, 10, NO_IDS, draws)
            assert got == decode_by_steps(single, first, 10, NO_IDS, draws)
            tokens |= {token for step in got for token in step}
    assert len(tokens) > min(n, 40) / 2


def test_draws_that_do_not_fit_are_refused() -> None:
    executor = rows_model(5, 1)
    wrong = [Draw(1.0, [0.5, 0.5]), Draw(0.0, [0.5]), Draw(1.0, [0.5], 129), Draw(1.0, [0.5], 0, 0.9)]
    for draws in ([Draw(1.0, [0.5])] * 2, *([draw] for draw in wrong)):
        with pytest.raises(InvalidParameter, match="draw"):
            executor.decode(flat_batch([1]), 1, NO_IDS, draws)


def test_no_step_comes_behind_an_end() -> None:
    executor, paging = chain()
    ends = np.array([17, 40], np.int64)
    assert executor.decode(begin(paging, 10, 20), 6, ends) == [[i, i + 10] for i in range(11, 17)]
    assert executor.decode([16, 26], 6, ends) == [[17, 27]]
    assert executor.decode([17, 36], 6, ends) == [[18, 37], [19, 38], [20, 39], [21, 40]]
    assert executor.decode([16, 26], 3, NO_IDS) == [[17, 27], [18, 28], [19, 29]]


def test_no_step_comes_behind_logits_that_are_not_finite() -> None:
    executor, paging = chain(bad=13)
    draws = [None, Draw(1e-3, [0.5] * 6)]
    for drawn in ((), draws):
        steps = executor.decode(begin(paging, 40, 10), 6, NO_IDS, drawn)
        assert steps == [[41, 11], [42, 12], [43, 13], [44, -1]]
    assert np.isnan(executor.logits()[1]).any()
    assert np.isfinite(executor.logits()[0]).all()


def test_steps_stay_in_their_blocks_and_in_the_context() -> None:
    executor, paging = chain()
    room = "leave room for 1 to"
    with pytest.raises(InvalidParameter, match=f"n_steps is 3; .* {room} 2"):
        executor.decode(begin(paging, 1, position=BLOCK_TOKENS - 2), 3, NO_IDS)
    with pytest.raises(InvalidParameter, match=f"n_steps is 0; .* {room} 29"):
        executor.decode(begin(paging, 1), 0, NO_IDS)
    with pytest.raises(InvalidParameter, match="one token of each sequence"):
        executor.decode(paging.batch([Piece([1, 2])]), 2, NO_IDS)
    assert executor.decode(begin(paging, 1, position=BLOCK_TOKENS - 2), 2, NO_IDS) == [[2], [3]]
    with pytest.raises(InvalidParameter, match=f"Position {BLOCK_TOKENS} begins a block"):
        executor.decode([3], 1, NO_IDS)
    with pytest.raises(InvalidParameter, match="token_ids of a batch holds 64"):
        executor.decode([64], 1, NO_IDS)


def test_a_call_in_a_hurry_ends_behind_its_step() -> None:
    executor, paging = chain()
    executor.hurry()
    assert executor.decode(begin(paging, 1), 9, NO_IDS) == [[2]]
    assert executor.decode([2], 3, NO_IDS) == [[3], [4], [5]]


def test_another_thread_may_be_in_a_hurry() -> None:
    """Some call is caught while it runs, and none loses or repeats a token."""
    executor, paging = chain()
    done = threading.Event()

    def hurry() -> None:
        while not done.is_set():
            executor.hurry()
            time.sleep(0.0001)

    other = threading.Thread(target=hurry)
    other.start()
    lengths: set[int] = set()
    deadline = time.monotonic() + 30
    while not lengths.intersection(range(2, 28)) and time.monotonic() < deadline:
        steps = executor.decode(begin(paging, 1), 28, NO_IDS)
        assert steps == [[2 + i] for i in range(len(steps))]
        lengths.add(len(steps))
    done.set()
    other.join()
    assert lengths.intersection(range(2, 28))
