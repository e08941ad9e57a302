"""How sequences run, end, wait and fail."""

from __future__ import annotations

import numpy as np
import pytest
from fake_executor import (
    EOG,
    N_VOCAB,
    assert_all_blocks_are_back,
    finish,
    layout_of,
    make_engine,
    plain_generation,
    plain_logits,
    start,
)
from listener import FULL, PROMPT, Listener

from rushlight.engine.sequence import Sequence, Status
from rushlight.errors import ContextOverflow, InvalidParameter, RushlightError
from rushlight.params import SamplingParams


@pytest.mark.parametrize("ignore_eos", [False, True])
def test_an_end_token_ends_the_sequence(ignore_eos: bool) -> None:
    row = plain_logits(PROMPT[:10], FULL)[-1]
    eog = int(row.argmax())
    engine = make_engine(FULL, eog=eog)
    sequence = start(engine, PROMPT[:10], ignore_eos=ignore_eos, max_tokens=4)
    finish(engine)
    assert sequence.generated[0] == eog
    assert (sequence.finish_reason, sequence.n_generated) == (("length", 4) if ignore_eos else ("stop", 1))
    assert_all_blocks_are_back(engine)


def test_the_context_ends_a_sequence() -> None:
    engine = make_engine(FULL, n_ctx=50)
    sequence = start(engine, PROMPT[:45], max_tokens=None)
    finish(engine)
    assert (sequence.finish_reason, sequence.n_tokens) == ("length", 50)
    assert sequence.generated == plain_generation(sequence, FULL, 50)


def test_a_listener_hears_every_token_and_may_end_the_sequence() -> None:
    engine = make_engine(FULL)
    listener = Listener(engine, 5)
    sequence = engine.sequence(PROMPT[:40], SamplingParams(temperature=0, ignore_eos=True), listener=listener)
    engine.submit(sequence)
    finish(engine)
    assert listener.heard == sequence.generated
    assert len(listener.heard) == 5
    assert sequence.finish_reason == "stop"
    assert listener.ended == [sequence]


def test_an_aborted_sequence_gives_its_blocks_back_at_once() -> None:
    engine = make_engine(FULL)
    running, other = start(engine, PROMPT[:50]), start(engine, PROMPT[100:140])
    engine.step()
    engine.abort(running)
    assert (running.status, running.finish_reason) == (Status.FINISHED, "abort")
    engine.abort(running)
    finish(engine)
    assert other.finish_reason == "length"
    waiting = start(engine, PROMPT[:5])
    engine.abort(waiting)
    engine.abort(engine.sequence(PROMPT[:5]))  # never submitted
    assert not engine.has_work
    assert_all_blocks_are_back(engine)


def test_prompts_that_cannot_run_are_refused() -> None:
    engine = make_engine(FULL, n_ctx=64)
    with pytest.raises(InvalidParameter, match="prompt is empty"):
        start(engine, [])
    with pytest.raises(
        InvalidParameter, match=rf"token id {N_VOCAB}; the vocabulary has ids 0 to {N_VOCAB - 1}"
    ):
        start(engine, [1, N_VOCAB])
    with pytest.raises(InvalidParameter, match="token id -1"):
        start(engine, [-1])
    with pytest.raises(InvalidParameter, match="logit_bias holds token id 99"):
        start(engine, [1], logit_bias={99: 1.0})
    with pytest.raises(ContextOverflow, match="65 tokens, but the context of 64"):
        start(engine, PROMPT[:65])
    with pytest.raises(ContextOverflow):
        start(engine, PROMPT[:64])
    start(engine, PROMPT[:64], prompt_logits=True)
    assert finish(engine) > 0


def test_a_pool_smaller_than_the_context_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="does not hold one context of 160"):
        make_engine(FULL, n_ctx=160, n_blocks=4)


def test_a_failing_step_fails_its_sequences_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(FULL, n_sequences=1)
    first, second = start(engine, PROMPT[:8]), start(engine, PROMPT[:9])

    def fail(batch: object) -> None:
        raise RushlightError("broken kernel")

    with monkeypatch.context() as patch:
        patch.setattr(engine._executor, "step", fail)
        engine.step()
    assert (first.finish_reason, str(first.error)) == ("error", "broken kernel")
    finish(engine)
    assert second.generated == plain_generation(second, FULL, 160)
    assert_all_blocks_are_back(engine)


def test_bad_logits_and_listeners_fail_only_their_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(FULL)
    bad, good = start(engine, PROMPT[:8]), start(engine, PROMPT[:9])
    listener = Listener(engine, error=KeyError("listener"))
    deaf = engine.sequence(PROMPT[:7], listener=listener)
    engine.submit(deaf)
    unscored = start(engine, PROMPT[:3], prompt_logprobs=0, max_tokens=0)
    step = engine._executor.step

    def poison(batch):  # type: ignore[no-untyped-def]
        logits = step(batch)
        logits[[0, -2], 3] = np.nan
        return logits

    listener.finished = lambda sequence: None  # type: ignore[method-assign]
    with monkeypatch.context() as patch:
        patch.setattr(engine._executor, "step", poison)
        engine.step()
    assert bad.finish_reason == "error"
    assert "token 3 is nan" in str(bad.error)
    assert isinstance(deaf.error, KeyError)
    assert "token 3 is nan" in str(unscored.error)
    finish(engine)
    assert good.generated == plain_generation(good, FULL, 160)
    assert_all_blocks_are_back(engine)


def test_decoding_goes_on_while_a_long_prompt_is_computed() -> None:
    engine = make_engine(FULL, n_ctx=512, n_tokens=16, n_blocks=64)
    early = start(engine, PROMPT[:5], max_tokens=100)
    engine.step()
    late = start(engine, PROMPT[:400], max_tokens=1)
    n_steps = 0
    while late.finish_reason is None:
        before = early.n_generated
        engine.step()
        n_steps += 1
        assert early.n_generated == before + 1
    assert n_steps == -(-400 // 15)


def test_first_come_first_served() -> None:
    engine = make_engine(FULL, n_sequences=2)
    sequences = [start(engine, PROMPT[i : i + 30], max_tokens=5) for i in range(0, 150, 30)]
    order: list[Sequence] = []
    while engine.has_work:
        engine.step()
        order += [s for s in sequences if s.status is Status.FINISHED and s not in order]
    assert order == sequences


def test_a_sequence_is_preempted_after_it_was_planned() -> None:
    """The first to come computes its prompt slowly, so that the second decodes, and is planned, before it."""
    engine = make_engine(FULL, n_ctx=128, n_blocks=4, n_tokens=8)
    reader = start(engine, PROMPT[:128], prompt_logits=True)
    talker = start(engine, PROMPT[:5], max_tokens=60)
    preempted = False
    while engine.has_work:
        before = talker.n_computed
        engine.step()
        preempted |= talker.n_computed < before
    assert preempted
    assert talker.generated == plain_generation(talker, FULL, 128)
    np.testing.assert_array_equal(np.concatenate(reader.logit_rows), plain_logits(PROMPT[:128], FULL))


def test_the_seed_in_use_is_reported() -> None:
    engine = make_engine(FULL)
    drawn = [start(engine, PROMPT[:5], temperature=1) for _ in range(2)]
    given = start(engine, PROMPT[:5], temperature=1, seed=drawn[0].seed)
    finish(engine)
    assert drawn[0].seed != drawn[1].seed
    assert given.params.seed == given.seed == drawn[0].seed
    assert given.generated == drawn[0].generated != drawn[1].generated


def test_default_end_token_is_honoured() -> None:
    engine = make_engine(FULL)
    sequences = [start(engine, PROMPT[i : i + 4], ignore_eos=False, max_tokens=150) for i in range(12)]
    finish(engine)
    assert {s.finish_reason for s in sequences} == {"stop", "length"}
    for s in sequences:
        assert (s.generated[-1] == EOG) == (s.finish_reason == "stop")
        assert EOG not in s.generated[:-1]


def test_decoding_within_a_block_goes_the_short_way() -> None:
    layout = layout_of(0, 20)
    engine = make_engine(layout)
    first, second = start(engine, [1, 2, 3], max_tokens=40), start(engine, [4] * 30, max_tokens=40)
    finish(engine)
    for sequence in (first, second):
        assert sequence.generated == plain_generation(sequence, layout, 160)
    # Of 39 tokens each, those at positions 32 and 64 begin a block, one follows a prompt, and one follows
    # the end of the other sequence.
    assert 30 <= engine._executor.n_advances <= 36
