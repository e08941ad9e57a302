"""The reference executor: limits, copies of blocks, and the choice of a backend."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.batches import TINY, Piece, open_executor, relative

from rushlight.backends import load_backend
from rushlight.backends.base import Limits, Ops, Tensor
from rushlight.backends.cache import AttentionCache, CacheLayout, RecurrentCache
from rushlight.backends.reference import ReferenceBackend
from rushlight.backends.reference.pools import StatePool
from rushlight.errors import BackendUnavailable, InvalidParameter
from rushlight.gguf import open_gguf
from rushlight.models import CausalModel, load_model


@pytest.fixture(scope="module")
def gemma() -> tuple[ReferenceBackend, CausalModel]:
    backend = ReferenceBackend()
    with open_gguf(TINY / "gemma3-f32.gguf") as file:
        return backend, load_model(file, backend, 128)


def test_a_copied_block_serves_another_sequence(gemma: tuple[ReferenceBackend, CausalModel]) -> None:
    """A second sequence takes copies of the first one's blocks and goes on its own way."""
    backend, model = gemma
    executor, paging = open_executor(backend, model, 128, n_slots=2)
    executor.step(paging.batch([Piece(range(40), slot=0)]))
    for g, tables in enumerate(paging.tables):
        for source, target in zip(tables[0][:2], tables[1][:2], strict=True):
            executor.copy_block(g, int(source), int(target))
    executor.step(paging.batch([Piece([7, 8, 9], 40, slot=0)]))
    branch = executor.step(paging.batch([Piece([7, 5], 40, slot=1)]))
    fresh, fresh_paging = open_executor(backend, model, 128)
    alone = fresh.step(fresh_paging.batch([Piece([*range(40), 7, 5])]))[-2:]
    assert relative(branch, alone) < 5e-6


def test_a_copied_state_is_the_whole_state() -> None:
    layout = CacheLayout.of((AttentionCache(1, 2, 2), RecurrentCache((3, 5), (2, 6)), RecurrentCache((4,))))

    def forward(ops: Ops) -> Tensor:
        raise NotImplementedError

    model = SimpleNamespace(n_vocab=8, n_embd=2, n_ctx_train=64, cache=layout, forward=forward)
    executor = ReferenceBackend().executor(model, Limits(1, 1, 1, 64, (2, 3)))
    states = [pool for pool in executor._pools if isinstance(pool, StatePool)]
    assert [pool.states.shape for pool in states] == [(3, 3, 5), (3, 4)]
    assert [pool.conv.shape for pool in states] == [(3, 2, 6), (3, 0, 0)]
    for pool in states:
        pool.states[1], pool.conv[1] = 7, 7
    executor.copy_block(1, 1, 2)
    for pool in states:
        for array in (pool.states, pool.conv):
            assert (array[1:] == 7).all()
            assert (array[0] == 0).all()
            assert array.dtype == np.float32
    content = executor.read_block(1, 1)
    assert len(content) == 4 * (3 * 5 + 2 * 6 + 4)
    executor.write_block(1, 0, content)
    assert all((array == 7).all() for pool in states for array in (pool.states, pool.conv))
    with pytest.raises(InvalidParameter, match="group 1 has 124 bytes, not 123"):
        executor.write_block(1, 0, content[1:])


@pytest.mark.parametrize(("group", "source", "target"), [(2, 0, 0), (-1, 0, 0), (0, 4, 0), (0, 0, -1)])
def test_a_block_that_does_not_exist_is_not_copied(
    gemma: tuple[ReferenceBackend, CausalModel], group: int, source: int, target: int
) -> None:
    executor, _ = open_executor(*gemma, 128)
    with pytest.raises(InvalidParameter, match=f"group {group}"):
        executor.copy_block(group, source, target)
    with pytest.raises(InvalidParameter, match=f"group {group}"):
        executor.write_block(group, source, executor.read_block(group, target))


def test_a_block_that_was_read_serves_another_executor(gemma: tuple[ReferenceBackend, CausalModel]) -> None:
    backend, model = gemma
    executor, paging = open_executor(backend, model, 128)
    executor.step(paging.batch([Piece(range(40))]))
    other, other_paging = open_executor(backend, model, 128, n_slots=2)
    for g, tables in enumerate(paging.tables):
        for source, target in zip(tables[0][:2], other_paging.tables[g][1][:2], strict=True):
            other.write_block(g, int(target), executor.read_block(g, int(source)))
    want = executor.step(paging.batch([Piece([7, 8, 9], 40)]))
    got = other.step(other_paging.batch([Piece([7, 8, 9], 40, slot=1)]))
    np.testing.assert_array_equal(got, want)


def test_limits_that_do_not_fit(gemma: tuple[ReferenceBackend, CausalModel]) -> None:
    backend, model = gemma
    good = Limits(4, 1, 4, 128, (4, 4), "f16")
    with pytest.raises(InvalidParameter, match="kv_dtype"):
        backend.executor(model, dataclasses.replace(good, kv_dtype="q8_0"))
    with pytest.raises(InvalidParameter, match="needs 2"):
        backend.executor(model, dataclasses.replace(good, n_blocks=(4,)))


def test_a_position_beyond_the_loaded_context(gemma: tuple[ReferenceBackend, CausalModel]) -> None:
    executor, paging = open_executor(*gemma, 160)
    with pytest.raises(InvalidParameter, match="loaded for 128"):
        executor.step(paging.batch([Piece([1], 130)]))


def test_matrices_of_unequal_columns_do_not_stack() -> None:
    with open_gguf(TINY / "llama-f32.gguf") as file:
        tensors = file.tensors["blk.0.ffn_up.weight"], file.tensors["blk.0.ffn_down.weight"]
        with pytest.raises(InvalidParameter, match="equal columns"):
            ReferenceBackend().matrix(*tensors)


def test_backends_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_backend("reference").name == "reference"
    with pytest.raises(InvalidParameter, match="auto, cpu, reference"):
        load_backend("gpu")

    def cannot(*arguments: object) -> None:
        raise BackendUnavailable("no kernels here")

    monkeypatch.setattr("rushlight.backends._cpu", cannot)
    assert load_backend("auto").name == "reference"
    with pytest.raises(BackendUnavailable, match="no kernels here"):
        load_backend("cpu")


def test_a_cpu_backend_that_cannot_be_imported_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rushlight.backends.cpu", None)
    with pytest.raises(BackendUnavailable, match="cannot be imported"):
        load_backend("cpu")
    assert load_backend("auto").name == "reference"
