"""Sequences that a step must hold as a whole, and those of which the last row alone is wanted."""

from __future__ import annotations

import numpy as np
import pytest
from fake_executor import (
    N_VOCAB,
    FakeExecutor,
    assert_all_blocks_are_back,
    finish,
    layout_of,
    make_engine,
    plain_logits,
)

from rushlight.backends.cache import AttentionCache, CacheLayout
from rushlight.engine.engine import Engine
from rushlight.engine.limits import limits_for
from rushlight.engine.sequence import Sequence
from rushlight.params import EngineOptions

BOTH_WAYS = CacheLayout.of((AttentionCache(1, 8, 8, ahead=160), AttentionCache(1, 8, 8, 9, ahead=8)))
PROMPT = np.random.default_rng(3).integers(0, N_VOCAB, 160).tolist()


def read(engine: Engine, ids: list[int], every_row: bool = False) -> Sequence:
    sequence = engine.sequence(ids, prompt_logits=True, every_row=every_row)
    engine.submit(sequence)
    return sequence


def executor_of(engine: Engine) -> FakeExecutor:
    executor = engine._executor
    assert isinstance(executor, FakeExecutor)
    return executor


@pytest.mark.parametrize(("fixed", "per_token"), [(0.0, 0.0), (0.01, 0.01)])
def test_a_step_holds_whole_sequences(fixed: float, per_token: float) -> None:
    """On a fast machine as many as fit, on a slow one no more than the time of a step allows, but one."""
    engine = make_engine(BOTH_WAYS, n_tokens=160, fixed=fixed, per_token=per_token)
    lengths = (1, 100, 61, 60, 160, 3, 2, 7, 90, 5, 8)
    readers = [read(engine, PROMPT[:n]) for n in lengths]
    finish(engine)
    batches = executor_of(engine).batches
    for batch in batches:
        assert (batch.positions[batch.query_start[:-1]] == 0).all()
        assert batch.outputs.tolist() == (batch.query_start[1:] - 1).tolist()
    assert [n for batch in batches for n in np.diff(batch.query_start).tolist()] == list(lengths)
    together = [batch.n_tokens for batch in batches if batch.n_sequences > 1]
    assert together and max(together) <= (25 if per_token else 160)
    for reader in readers:
        assert (reader.finish_reason, reader.n_cached) == ("stop", 0)
        assert np.concatenate(reader.logit_rows).shape == (1, N_VOCAB)
    assert_all_blocks_are_back(engine)


def test_what_may_change_with_what_comes_later_is_not_found_again() -> None:
    engine = make_engine(BOTH_WAYS, n_tokens=160)
    for _ in range(2):
        assert read(engine, PROMPT[:100]).n_cached is None
        finish(engine)
    assert engine.stats().cached_tokens == 0
    assert all(pool.kept == 0 for pool in engine.stats().blocks)


def test_the_last_row_alone_comes_in_chunks_and_from_the_cache() -> None:
    layout = layout_of(0)
    engine = make_engine(layout, n_tokens=32)
    for n in (100, 130, 97):
        reader = read(engine, PROMPT[:n])
        finish(engine)
        np.testing.assert_array_equal(
            np.concatenate(reader.logit_rows), plain_logits(PROMPT[:n], layout)[-1:]
        )
        assert (reader.finish_reason, reader.generated) == ("stop", [])
    assert engine.stats().cached_tokens == 96 + 96
    assert max(len(batch.outputs) for batch in executor_of(engine).batches) == 1


def test_room_is_made_for_a_whole_context() -> None:
    limits = limits_for(BOTH_WAYS, 100, "f16", EngineOptions(n_batch_tokens=16, n_sequences=3))
    assert (limits.n_tokens, limits.n_outputs) == (100, 103)
    assert limits.n_blocks == (10, 10)
    limits = limits_for(BOTH_WAYS, 100, "f16", EngineOptions(n_sequences=3, kv_tokens=100))
    assert (limits.n_tokens, limits.n_outputs, limits.n_blocks) == (512, 515, (4, 4))
    causal = limits_for(layout_of(0, 9), 100, "f16", EngineOptions(n_batch_tokens=16, n_sequences=3))
    assert causal.n_tokens == 16
