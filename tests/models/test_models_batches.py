"""One sequence gives the same logits however its tokens are cut into steps and batches."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.batches import TINY, Piece, load_golden, open_executor, relative
from numpy.typing import NDArray

from rushlight.backends.reference import ReferenceBackend
from rushlight.gguf import open_gguf
from rushlight.models import CausalModel, load_model

# BLAS adds in another order for another number of rows.
ROUNDING = 5e-6
MODELS = ["gemma3-f32", "llama-mix", "phi2-f32", "phi3-swa-f32", "qwen2-f32", "qwen3-f32"]
N_CTX = 128


def load(name: str, n_ctx: int = N_CTX) -> tuple[ReferenceBackend, CausalModel]:
    backend = ReferenceBackend()
    with open_gguf(TINY / f"{name}.gguf") as file:
        return backend, load_model(file, backend, n_ctx)


def tokens(n: int, seed: int = 0) -> list[int]:
    ids: list[int] = np.random.default_rng(seed).integers(0, 320, n).tolist()
    return ids


def one_shot(backend: ReferenceBackend, model: CausalModel, ids: list[int]) -> NDArray[np.float32]:
    executor, paging = open_executor(backend, model, N_CTX)
    return executor.step(paging.batch([Piece(ids)]))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("sizes", [(1,) * 70, (33, 1, 31, 5), (64, 6)])
def test_chunks_are_one_shot(name: str, sizes: tuple[int, ...]) -> None:
    backend, model = load(name)
    ids = tokens(70)
    executor, paging = open_executor(backend, model, N_CTX)
    rows, start = [], 0
    for size in sizes:
        rows.append(executor.step(paging.batch([Piece(ids[start : start + size], start)])))
        start += size
    assert relative(np.concatenate(rows), one_shot(backend, model, ids)) < ROUNDING


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_gives_what_each_gives_alone(name: str) -> None:
    backend, model = load(name)
    sequences = [tokens(n, seed=n) for n in (41, 1, 66)]
    executor, paging = open_executor(backend, model, N_CTX, n_slots=3)
    first = [Piece(ids[:-1], 0, slot) for slot, ids in enumerate(sequences) if len(ids) > 1]
    executor.step(paging.batch(first))
    last = [Piece(ids[-1:], len(ids) - 1, slot) for slot, ids in enumerate(sequences)]
    together = executor.step(paging.batch(last))
    alone = np.stack([one_shot(backend, model, ids)[-1] for ids in sequences])
    assert relative(together, alone) < ROUNDING


def test_outputs_are_the_rows_asked_for() -> None:
    backend, model = load("gemma3-f32")
    ids = tokens(20)
    executor, paging = open_executor(backend, model, N_CTX)
    every = executor.step(paging.batch([Piece(ids)])).copy()
    some = executor.step(paging.batch([Piece(ids)], outputs=[0, 7, 19]))
    assert relative(some, every[[0, 7, 19]]) < ROUNDING
    assert executor.step(paging.batch([Piece(ids)], outputs=[])).shape == (0, model.n_vocab)


def test_a_half_float_cache_is_near_a_float_cache_and_not_the_same() -> None:
    backend, model = load("llama-f32")
    ids = tokens(40)
    executor, paging = open_executor(backend, model, N_CTX, kv_dtype="f16")
    difference = relative(executor.step(paging.batch([Piece(ids)])), one_shot(backend, model, ids))
    assert 1e-5 < difference < 2e-3


def test_a_window_changes_logits_only_beyond_it() -> None:
    golden = load_golden("phi3-swa-f32")
    backend, narrow = load("phi3-swa-f32")
    wide_backend, wide = load("phi3-swa-f32", n_ctx=16)  # every context of 16 is inside the window of 16
    assert narrow.cache.groups[0].window == 16
    assert wide.cache.groups[0].window == 0
    inside = one_shot(backend, narrow, golden.ids[:16])
    executor, paging = open_executor(wide_backend, wide, 16)
    assert relative(executor.step(paging.batch([Piece(golden.ids[:16])])), inside) < ROUNDING
    # The 17th token no longer sees the first one.
    other = [(golden.ids[0] + 1) % 320, *golden.ids[1:17]]
    mine, others = (one_shot(backend, narrow, ids) for ids in (golden.ids[:17], other))
    assert relative(others[15], mine[15]) > 1e-3
    two_layers_reach = one_shot(backend, narrow, [other[0], *golden.ids[1:48]])[47]
    assert relative(two_layers_reach, one_shot(backend, narrow, golden.ids[:48])[47]) < ROUNDING
