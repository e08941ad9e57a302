"""What an engine finds again of prompts, and what it holds of windowed and recurrent layers."""

from __future__ import annotations

import numpy as np
import pytest
from fake_executor import (
    FakeExecutor,
    assert_all_blocks_are_back,
    finish,
    layout_of,
    make_engine,
    plain_generation,
    plain_logits,
    start,
)
from listener import FULL, PROMPT, Listener

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.engine.checkpoints import CHECKPOINT_TOKENS
from rushlight.engine.engine import Engine
from rushlight.engine.kv_blocks import most_blocks
from rushlight.errors import ContextOverflow
from rushlight.params import SamplingParams


def executor_of(engine: Engine) -> FakeExecutor:
    executor = engine._executor
    assert isinstance(executor, FakeExecutor)
    return executor


def test_a_prefix_is_found_up_to_the_last_full_block() -> None:
    engine = make_engine(FULL)
    cold = start(engine, PROMPT[:96])
    finish(engine)
    same, longer, other = (
        start(engine, prompt) for prompt in (PROMPT[:96], [*PROMPT[:70], 1, 2, 3], [5, *PROMPT[:95]])
    )
    finish(engine)
    assert (cold.n_cached, same.n_cached, longer.n_cached, other.n_cached) == (0, 64, 64, 0)
    assert same.generated == cold.generated
    turn = start(engine, cold.token_ids + PROMPT[200:230])
    finish(engine)
    assert turn.n_cached == 96, "what was generated is found too, as far as blocks were full"
    assert turn.generated == plain_generation(turn, FULL, 160)


def test_a_block_is_known_by_all_that_stands_before_it() -> None:
    a, b, x, y = (PROMPT[i : i + 32] for i in (0, 40, 80, 120))
    for layout in (FULL, layout_of(33)):
        engine = make_engine(layout)
        for prompt in ([*a, *x, 1], [*b, *y, 1]):
            start(engine, prompt)
        finish(engine)
        crossed = start(engine, [*b, *x, 1])
        finish(engine)
        assert crossed.n_cached == 32
        assert crossed.generated == plain_generation(crossed, layout, 160)


def test_nothing_is_found_without_a_prefix_cache() -> None:
    engine = make_engine(FULL, prefix_cache=False)
    start(engine, PROMPT[:96])
    finish(engine)
    again = start(engine, PROMPT[:96])
    finish(engine)
    assert again.n_cached == 0
    assert engine._blocks.pools[0]._idle == {}


def test_a_windowed_group_holds_no_more_than_its_window() -> None:
    window, n_tokens = 70, 32
    engine = make_engine(layout_of(0, window), n_ctx=640, n_tokens=n_tokens, n_blocks=(25, 10))
    sequence = start(engine, PROMPT[:500], max_tokens=100)
    most = 0
    while engine.has_work:
        engine.step()
        pool = engine._blocks.pools[1]
        most = max(most, sum(n > 0 for n in pool._n_users))
    assert most <= most_blocks(640, window, n_tokens) == 5
    assert sequence.finish_reason == "length"
    turn = start(engine, [*sequence.token_ids[:590], 1])
    finish(engine)
    assert turn.n_cached == 576, "the last window is enough to go on"
    assert turn.generated == plain_generation(turn, layout_of(0, window), 640)


def test_a_recurrent_state_is_found_at_its_checkpoints() -> None:
    layout = layout_of("state", 0)
    engine = make_engine(layout, n_ctx=700, n_blocks=64, n_tokens=200)
    cold = start(engine, PROMPT[:300], max_tokens=2)
    finish(engine)
    edge = 299 // BLOCK_TOKENS * BLOCK_TOKENS
    hits = [start(engine, [*PROMPT[:n], 7], max_tokens=2) for n in (300, 290, 270)]
    finish(engine)
    assert [cold.n_cached, *(s.n_cached for s in hits)] == [0, edge, edge, CHECKPOINT_TOKENS]
    for sequence in hits:
        assert sequence.generated == plain_generation(sequence, layout, 700)
    assert_all_blocks_are_back(engine)


def test_one_copy_of_a_state_moves_along_with_an_answer() -> None:
    layout = layout_of("state")
    engine = make_engine(layout, n_ctx=700, n_blocks=64, n_tokens=200)
    first = start(engine, PROMPT[:150], max_tokens=200)
    finish(engine)
    # At the prompt's edge, behind 256 tokens, and behind 320: 349 were computed.
    assert engine.stats().blocks[0].kept == 3
    second = start(engine, [*first.token_ids, 1, 2, 3], max_tokens=40)
    finish(engine)
    assert second.n_cached == 320
    assert second.generated == plain_generation(second, layout, 700)
    other = start(engine, [*first.token_ids[:340], 1], max_tokens=2)
    finish(engine)
    assert other.n_cached == 320, "what a sequence has found stays when it goes on"
    assert_all_blocks_are_back(engine)


def test_prompt_logits_come_in_order_and_beside_others() -> None:
    engine = make_engine(FULL, n_tokens=20)
    start(engine, PROMPT[:96])
    finish(engine)
    talker = start(engine, PROMPT[:40], max_tokens=30)
    readers = [start(engine, PROMPT[: 96 - i], prompt_logits=True) for i in range(2)]
    finish(engine)
    for reader in readers:
        rows = np.concatenate(reader.logit_rows)
        np.testing.assert_array_equal(rows, plain_logits(list(reader.prompt_ids), FULL))
        assert (reader.finish_reason, reader.generated, reader.n_cached) == ("stop", [], 0)
    assert talker.generated == plain_generation(talker, FULL, 160)
    assert max(len(b.outputs) for b in executor_of(engine).batches) <= engine.limits.n_outputs


def test_a_scored_prompt_is_computed_as_a_whole_and_its_end_found_again_when_preempted() -> None:
    engine = make_engine(FULL, n_tokens=64)
    start(engine, PROMPT[:96])
    finish(engine)
    scored = start(engine, PROMPT[:96], max_tokens=30, prompt_logprobs=0)
    while not scored.generated:
        assert scored.n_read == scored.n_computed
        engine.step()
    assert scored.n_cached == 0
    engine._scheduler._preempt(scored)
    engine.step()
    assert scored.n_computed == 97, "nothing of the prompt is wanted again, so its blocks serve"
    finish(engine)
    assert len(scored.prompt_logprobs) == 96
    assert scored.generated == plain_generation(scored, FULL, 160)


def test_without_an_answer_a_prompt_may_fill_the_context() -> None:
    engine = make_engine(FULL, n_ctx=64, n_tokens=20, n_blocks=2)
    listener = Listener(engine)
    params = SamplingParams(max_tokens=0, prompt_logprobs=1)
    sequence = engine.sequence(PROMPT[:64], params, listener=listener)
    engine.submit(sequence)
    finish(engine)
    assert (sequence.finish_reason, sequence.generated, listener.heard) == ("length", [], [])
    assert listener.ended == [sequence]
    assert len(sequence.prompt_logprobs) == 64
    with pytest.raises(ContextOverflow):
        start(engine, PROMPT[:65], max_tokens=0)
