"""Several steps in one call of the executor: nobody can tell from the tokens, the blocks or the counters."""

from __future__ import annotations

import numpy as np
import pytest
from fake_executor import (
    EOG,
    N_VOCAB,
    FakeExecutor,
    assert_all_blocks_are_back,
    finish,
    layout_of,
    make_engine,
    plain_generation,
    start,
)

from rushlight.engine.engine import Engine
from rushlight.engine.kv_blocks import most_blocks
from rushlight.engine.sequence import Sequence
from rushlight.engine.stride import MOST_STEPS
from rushlight.params import SamplingParams
from rushlight.sampling import Sampled

N_CTX = 160
PROMPT = np.random.default_rng(5).integers(0, N_VOCAB - 1, 300).tolist()
LAYOUTS = [layout_of(0), layout_of(0, 40), layout_of(33), layout_of("state", 0), layout_of(0, 17, "state")]


class Ending:
    """Ends the sequence behind some tokens, as a stop string does."""

    def __init__(self, n: int) -> None:
        self.n, self.heard = n, 0

    def token(self, sampled: Sampled) -> bool:
        self.heard += 1
        return self.heard == self.n

    def finished(self, sequence: Sequence) -> None:
        pass


def executor_of(engine: Engine) -> FakeExecutor:
    executor = engine._executor
    assert isinstance(executor, FakeExecutor)
    return executor


def submit(engine: Engine, prompt: list[int], listener: Ending | None = None, **params: object) -> Sequence:
    options = {"temperature": 0, "ignore_eos": True, **params}
    sequence = engine.sequence(prompt, SamplingParams(**options), listener=listener)  # type: ignore[arg-type]
    engine.submit(sequence)
    return sequence


def answers(engine: Engine) -> list[object]:
    """What a long conversation and its neighbours give, whoever ends in the middle of a call."""
    first = submit(engine, PROMPT[:29], max_tokens=None)  # to the end of the context
    stopped = submit(engine, PROMPT[40:90], Ending(11))
    ended = submit(engine, PROMPT[60:75], ignore_eos=False, max_tokens=130)
    drawn = submit(engine, PROMPT[90:95], temperature=1.3, seed=4, max_tokens=120)
    cut = submit(engine, PROMPT[90:95], temperature=1.3, top_k=5, top_p=0.9, seed=4, max_tokens=60)
    slow = submit(engine, PROMPT[90:95], repeat_penalty=1.2, max_tokens=7)
    while stopped.finish_reason is None:
        engine.step()
    turn = submit(engine, [*stopped.token_ids, 7, 8], max_tokens=38)
    while not turn.generated:
        engine.step()
    engine.step()
    finish(engine)
    again = submit(engine, [*turn.token_ids, 9], Ending(9))
    finish(engine)
    sequences = [first, stopped, ended, drawn, cut, slow, turn, again]
    for sequence in sequences:
        assert sequence.error is None
    assert_all_blocks_are_back(engine)
    stats = engine.stats()
    cached = [sequence.n_cached for sequence in sequences]
    kept = [block.kept for block in stats.blocks]
    texts = [(s.generated, s.finish_reason) for s in sequences]
    return [texts, cached, kept, stats.computed_tokens, stats.generated_tokens]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: str([g.window for g in layout.groups]))
def test_the_number_of_steps_of_a_call_changes_nothing(layout: object) -> None:
    want = answers(make_engine(layout, n_ctx=N_CTX, most_steps=1, eog=23))  # type: ignore[arg-type]
    for most_steps in (2, 3, 8, 31):
        engine = make_engine(layout, n_ctx=N_CTX, most_steps=most_steps, eog=23)  # type: ignore[arg-type]
        assert answers(engine) == want
        assert executor_of(engine).n_decodes > 40 / most_steps


def test_steps_are_saved() -> None:
    engine = make_engine(layout_of(0, 40), n_ctx=N_CTX)
    sequence = start(engine, PROMPT[:32], max_tokens=97)
    n_calls = finish(engine)
    assert sequence.generated == plain_generation(sequence, layout_of(0, 40), N_CTX)
    # The prompt; one step, which tells how long one takes; and what is left of three blocks.
    assert n_calls == 2 + 3 * 32 // MOST_STEPS
    assert engine.stats().steps == 97


def test_a_preempted_sequence_says_the_same() -> None:
    layout = layout_of(0, 40)
    few = tuple(most_blocks(N_CTX, group.window, 32) + 1 for group in layout.groups)
    engine = make_engine(layout, n_ctx=N_CTX, n_blocks=few)
    sequences = [start(engine, PROMPT[i : i + 20 + i], max_tokens=100) for i in range(3)]
    finish(engine)
    assert engine.stats().preemptions > 0
    assert executor_of(engine).n_decodes > 5
    for sequence in sequences:
        assert sequence.generated == plain_generation(sequence, layout, N_CTX)


def test_drawn_tokens_are_those_of_single_steps() -> None:
    layout = layout_of(0, 40)
    engine = make_engine(layout, n_ctx=N_CTX)
    sequences = [
        start(
            engine,
            PROMPT[i : i + 9],
            max_tokens=100,
            temperature=i / 2,
            top_k=6 * i,
            seed=i,
            ignore_eos=i < 3,
        )
        for i in range(4)
    ]
    finish(engine)
    assert executor_of(engine).n_decodes > 10
    for sequence in sequences:
        assert sequence.generated == plain_generation(sequence, layout, N_CTX)
    assert len({tuple(sequence.generated) for sequence in sequences}) == 4


def test_an_end_token_ends_the_call_too() -> None:
    engine = make_engine(layout_of(0), n_ctx=N_CTX, eog=EOG)
    sequences = [start(engine, PROMPT[i : i + 9], ignore_eos=False, max_tokens=140) for i in range(12)]
    finish(engine)
    ended = [s for s in sequences if s.finish_reason == "stop"]
    assert ended
    for sequence in sequences:
        assert sequence.generated == plain_generation(sequence, layout_of(0), N_CTX)
    batches = executor_of(engine).batches
    assert not any(EOG in batch.token_ids for batch in batches), "nothing is computed behind an end token"


@pytest.mark.parametrize(
    "params",
    [
        {"logprobs": 0},
        {"temperature": 1.0, "top_k": 129},
        {"temperature": 1.0, "top_p": 0.9},
        {"temperature": 1.0, "min_p": 0.1},
        {"repeat_penalty": 1.1},
        {"presence_penalty": 0.5},
        {"frequency_penalty": 0.5},
        {"logit_bias": {3: 1.0}},
    ],
    ids=lambda params: list(params)[-1],
)
def test_who_asks_for_more_than_a_token_of_all_gets_step_by_step(params: dict[str, object]) -> None:
    engine = make_engine(layout_of(0), n_ctx=N_CTX)
    sequence = start(engine, PROMPT[:9], max_tokens=40, seed=1, **params)
    plain = start(engine, PROMPT[:9], max_tokens=20)
    finish(engine)
    assert executor_of(engine).n_decodes == 0
    assert sequence.generated == plain_generation(sequence, layout_of(0), N_CTX)
    assert plain.generated == plain_generation(plain, layout_of(0), N_CTX)


def test_slow_models_deliver_every_token_alone() -> None:
    for seconds, n_steps in ((0.03, 1), (0.019, 2), (0.009, 5), (0.001, 8)):
        engine = make_engine(layout_of(0), n_ctx=N_CTX, fixed=seconds)
        start(engine, PROMPT[:32], max_tokens=90)
        engine.step()  # the prompt
        engine.step()  # tells how long a token takes
        before = engine.stats().steps
        engine.step()
        assert engine.stats().steps - before == n_steps


def test_nobody_waits_for_several_steps() -> None:
    engine = make_engine(layout_of(0), n_ctx=N_CTX, n_sequences=1)
    first = start(engine, PROMPT[:9], max_tokens=40)
    second = start(engine, PROMPT[:5], max_tokens=10)
    while first.finish_reason is None:
        assert second in engine._scheduler.waiting
        before = engine.stats().steps
        engine.step()
        assert engine.stats().steps == before + 1
    finish(engine)
    assert executor_of(engine).n_decodes > 0
    assert second.generated == plain_generation(second, layout_of(0), N_CTX)


def test_an_error_in_the_middle_of_a_call_is_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(layout_of(0), n_ctx=N_CTX)
    bad, good = start(engine, PROMPT[:9]), start(engine, PROMPT[20:29])
    logits_of = FakeExecutor._logits

    def poisoned(self: FakeExecutor, batch: object) -> np.ndarray:
        logits = logits_of(self, batch)  # type: ignore[arg-type]
        if bad.n_tokens <= 17 <= int(self.batches[-1].positions[0]) and len(logits) == 2:
            logits[0, 3] = np.nan
        return logits

    monkeypatch.setattr(FakeExecutor, "_logits", poisoned)
    finish(engine)
    assert (bad.finish_reason, bad.n_generated) == ("error", 9)
    assert "token 3 is nan" in str(bad.error)
    assert good.generated == plain_generation(good, layout_of(0), N_CTX)
    assert_all_blocks_are_back(engine)


def test_a_listener_that_fails_in_the_middle_of_a_call_fails_alone() -> None:
    class Failing(Ending):
        def token(self, sampled: Sampled) -> bool:
            if super().token(sampled):
                raise KeyError("listener")
            return False

    engine = make_engine(layout_of(0), n_ctx=N_CTX)
    deaf, good = submit(engine, PROMPT[:9], Failing(5)), start(engine, PROMPT[20:29])
    finish(engine)
    assert isinstance(deaf.error, KeyError)
    assert deaf.n_generated == 5
    assert good.generated == plain_generation(good, layout_of(0), N_CTX)
