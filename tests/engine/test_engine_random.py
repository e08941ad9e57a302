from __future__ import annotations

from functools import lru_cache

import numpy as np
from fake_executor import (
    N_VOCAB,
    assert_all_blocks_are_back,
    finish,
    layout_of,
    make_engine,
    plain_generation,
    plain_logits,
    start,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.backends.cache import CacheLayout
from rushlight.engine.kv_blocks import most_blocks
from rushlight.engine.sequence import Sequence
from rushlight.params import SamplingParams

WINDOWS: list[tuple[int | str, ...]] = [
    (0,), (0, 40), (33,), (1, 64), ("state",), ("state", 0), (0, 17, "state", 0),
]  # fmt: skip
N_CTX = 160
STREAMS = np.random.default_rng(3).integers(0, N_VOCAB - 1, (3, N_CTX)).tolist()


@lru_cache
def expected(
    layout: CacheLayout, prompt: tuple[int, ...], max_tokens: int, seed: int, greedy: bool
) -> list[int]:
    engine = make_engine(layout, n_ctx=N_CTX)
    sequence = engine.sequence(prompt, _params(max_tokens, seed, greedy, None))
    return plain_generation(sequence, layout, N_CTX)


def _params(max_tokens: int, seed: int, greedy: bool, prompt_logprobs: int | None) -> SamplingParams:
    return SamplingParams(
        max_tokens=max_tokens,
        seed=seed,
        temperature=0 if greedy else 1.0,
        repeat_penalty=1.1,
        top_k=20,
        prompt_logprobs=prompt_logprobs,
    )


def least_blocks(layout: CacheLayout, n_chunk: int) -> tuple[int, ...]:
    return tuple(2 if g.recurrent else most_blocks(N_CTX, g.window, n_chunk) for g in layout.groups)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_workload_gives_what_each_sequence_gives_alone(data: st.DataObject) -> None:
    """Batches, chunks, prefix hits, preemption, aborts: none of it may change a token or lose a block."""
    layout = layout_of(*data.draw(st.sampled_from(WINDOWS)))
    n_sequences = data.draw(st.integers(1, 5))
    n_tokens = data.draw(st.integers(n_sequences, 70))
    spare = data.draw(st.sampled_from([0, 1, 3, 30]))
    engine = make_engine(
        layout,
        n_ctx=N_CTX,
        n_tokens=n_tokens,
        n_sequences=n_sequences,
        n_blocks=tuple(n + spare for n in least_blocks(layout, n_tokens)),
        prefix_cache=data.draw(st.booleans()),
        per_token=data.draw(st.sampled_from([0, 0.004, 0.02])),
    )
    sequences: list[Sequence] = []
    for _ in range(data.draw(st.integers(1, 10))):
        stream = data.draw(st.sampled_from(STREAMS))
        prompt = stream[: data.draw(st.integers(1, N_CTX - 1))] + data.draw(
            st.lists(st.integers(0, 3), max_size=2)
        )
        prompt = prompt[: N_CTX - 1]
        all_logits = data.draw(st.integers(0, 6)) == 0
        params = _params(
            data.draw(st.integers(0, 50)),
            data.draw(st.integers(0, 2)),
            data.draw(st.booleans()),
            data.draw(st.sampled_from([None, None, 0, 3])),
        )
        sequence = engine.sequence(prompt, params, prompt_logits=all_logits)
        engine.submit(sequence)
        sequences.append(sequence)
        for _ in range(data.draw(st.integers(0, 12))):
            engine.step()
        if data.draw(st.integers(0, 7)) == 0:
            engine.abort(data.draw(st.sampled_from(sequences)))
    finish(engine)
    assert_all_blocks_are_back(engine)
    for sequence in sequences:
        assert sequence.error is None, sequence.error
        check(sequence, layout)


def check(sequence: Sequence, layout: CacheLayout) -> None:
    if sequence.params.prompt_logprobs is not None:
        check_prompt_logprobs(sequence, layout)
    if sequence.prompt_logits:
        rows = np.concatenate(sequence.logit_rows or [np.empty((0, N_VOCAB), np.float32)])
        want = plain_logits(list(sequence.prompt_ids), layout)
        assert sequence.finish_reason == "abort" or len(rows) == len(want)
        np.testing.assert_array_equal(rows, want[: len(rows)])
        return
    params = sequence.params
    want = expected(layout, sequence.prompt_ids, params.max_tokens, sequence.seed, params.temperature == 0)
    got = sequence.generated
    assert got == (want[: len(got)] if sequence.finish_reason == "abort" else want)


def check_prompt_logprobs(sequence: Sequence, layout: CacheLayout) -> None:
    found, n_top = sequence.prompt_logprobs, sequence.params.prompt_logprobs
    rows = plain_logits(list(sequence.prompt_ids), layout).astype(np.float64)
    want = rows - np.log(np.exp(rows).sum(1, keepdims=True))
    assert sequence.finish_reason == "abort" or len(found) == len(sequence.prompt_ids)
    assert found[0] is None
    for entry, row, token_id in zip(found[1:], want, sequence.prompt_ids[1:], strict=False):
        assert entry is not None
        assert entry.token_id == token_id
        likeliest = np.argsort(-row, kind="stable")[:n_top]
        assert [i for i, _ in entry.top] == likeliest.tolist()
        np.testing.assert_allclose(
            [entry.logprob, *(p for _, p in entry.top)], [row[token_id], *row[likeliest]], atol=1e-6
        )


def test_a_small_pool_preempts_and_changes_nothing() -> None:
    layout = layout_of(0, 40)
    engine = make_engine(layout, n_ctx=N_CTX, n_blocks=tuple(n + 1 for n in least_blocks(layout, 32)))
    preempted: list[Sequence] = []
    preempt = engine._scheduler._preempt
    engine._scheduler._preempt = lambda s: (preempted.append(s), preempt(s))[1]  # type: ignore[method-assign]
    sequences = [start(engine, STREAMS[i][: 20 + i], max_tokens=100) for i in range(3)]
    finish(engine)
    assert preempted
    stats = engine.stats()
    assert stats.preemptions == len(preempted)
    assert (stats.prompt_tokens, stats.generated_tokens, stats.finished["length"]) == (63, 300, 3)
    assert stats.computed_tokens > 63 + 300 - 3
    assert sequences[0] not in preempted, "the first to come is never preempted"
    for sequence in sequences:
        assert sequence.generated == plain_generation(sequence, layout, N_CTX)
        assert sequence.finish_reason == "length"
    assert_all_blocks_are_back(engine)
