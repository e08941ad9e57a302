"""Nobody waits long for anybody else; the clock is the fake executor's, so every run is the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from fake_executor import (
    N_VOCAB,
    FakeExecutor,
    assert_all_blocks_are_back,
    finish,
    layout_of,
    make_engine,
    plain_generation,
    start,
)
from hypothesis import given
from hypothesis import strategies as st

from rushlight.engine.engine import Engine
from rushlight.engine.pace import PIECE, Pace
from rushlight.engine.sequence import Sequence
from rushlight.engine.shares import prompt_shares
from rushlight.params import SamplingParams
from rushlight.sampling import Sampled

LAYOUT = layout_of(16)  # a narrow window: long prompts are quick to hash
FIXED, PER_TOKEN = 0.005, 0.005


class Clocked:
    """A listener that notes when each token came."""

    def __init__(self, executor: FakeExecutor) -> None:
        self.executor, self.asked = executor, executor.now
        self.moments: list[float] = []

    def token(self, sampled: Sampled) -> bool:
        self.moments.append(self.executor.now)
        return False

    def finished(self, sequence: Sequence) -> None:
        pass

    @property
    def first(self) -> float:
        return self.moments[0] - self.asked

    @property
    def longest_gap(self) -> float:
        return float(np.diff(self.moments).max())


class Simulation:
    """Requests that come at given moments to an engine on the fake clock."""

    def __init__(self, step_seconds: float, n_sequences: int = 8) -> None:
        self.engine: Engine = make_engine(
            LAYOUT, n_ctx=4200, n_tokens=512, n_sequences=n_sequences, n_blocks=400, fixed=FIXED,
            per_token=PER_TOKEN, step_seconds=step_seconds,
        )  # fmt: skip
        assert isinstance(self.engine._executor, FakeExecutor)
        self.executor = self.engine._executor
        self.requests: list[tuple[float, Callable[[], None]]] = []
        self.heard: dict[str, Clocked] = {}
        self._random = np.random.default_rng(5)

    def ask(self, moment: float, name: str, n_prompt: int, max_tokens: int) -> None:
        prompt = self._random.integers(0, N_VOCAB - 1, n_prompt).tolist()
        params = SamplingParams(temperature=0, ignore_eos=True, max_tokens=max_tokens)

        def submit() -> None:
            self.heard[name] = Clocked(self.executor)
            self.engine.submit(self.engine.sequence(prompt, params, listener=self.heard[name]))

        self.requests.append((moment, submit))

    def run(self) -> dict[str, Clocked]:
        coming = sorted(self.requests, key=lambda request: request[0])
        while coming or self.engine.has_work:
            if coming and not self.engine.has_work:
                self.executor.now = max(self.executor.now, coming[0][0])
            while coming and coming[0][0] <= self.executor.now:
                coming.pop(0)[1]()
            self.engine.step()
        assert_all_blocks_are_back(self.engine)
        return self.heard


def beside_a_long_prompt(step_seconds: float) -> dict[str, Clocked]:
    simulation = Simulation(step_seconds)
    simulation.ask(0, "stream", 20, 200)
    simulation.ask(1, "long", 4096, 1)
    simulation.ask(3, "short", 20, 20)
    return simulation.run()


def test_a_long_prompt_lets_streams_flow_and_short_prompts_pass() -> None:
    fair, whole = beside_a_long_prompt(0.25), beside_a_long_prompt(1e6)
    assert fair["stream"].longest_gap <= 0.25
    assert fair["short"].first <= 0.5
    assert min(whole["stream"].longest_gap, whole["short"].first) > 2.5
    assert fair["long"].first <= 1.06 * whole["long"].first


def test_a_lone_prompt_takes_long_steps_and_still_leaves_room_for_who_comes() -> None:
    simulation = Simulation(0.25)
    simulation.ask(0, "long", 4096, 1)
    simulation.ask(7, "short", 20, 20)
    heard = simulation.run()
    assert heard["short"].first <= 8 * 0.25 + 0.5
    assert heard["long"].first <= 4096 * PER_TOKEN * 1.03
    lone = [batch.n_tokens for batch in simulation.executor.batches if batch.n_sequences == 1]
    assert max(lone) * PER_TOKEN + FIXED <= 8 * 0.25


def test_short_prompts_that_keep_coming_do_not_starve_a_long_one() -> None:
    """More of them come than can be computed: their queue grows, and the long one goes on."""
    alone = 2048 * PER_TOKEN
    for n_short in (30, 60):
        simulation = Simulation(0.25)
        simulation.ask(0, "long", 2048, 1)
        for i in range(n_short):
            simulation.ask(0.1 * i, f"short {i}", 60, 1)
        heard = simulation.run()
        assert heard["long"].first <= 2 * alone * 1.1
        assert heard["short 0"].first <= 1


def test_the_pace_settles_at_the_target_and_follows_the_machine() -> None:
    pace = Pace(0.25, 512)

    def settle(fixed: float, per_token: float, *, alone: bool = False) -> int:
        for _ in range(30):
            n = pace.n_tokens(alone=alone)
            assert n % PIECE == 0
            pace.note(n, fixed + per_token * n, alone=alone)
        return pace.n_tokens(alone=False)

    assert pace.n_tokens(alone=False) == 32
    assert settle(0.05, 0.002) == 96  # 0.05 + 100 * 0.002 = 0.25
    assert settle(0.05, 0.002) == 96
    assert settle(0.1, 0.1) == 16, "too slow for the target: it goes on in small pieces"
    assert settle(0.05, 0.002, alone=True) in {96, 104, 112, 120}, (
        "what a lone step tells holds for shared ones"
    )
    assert settle(0.01, 0.0001) == 512 == pace.n_tokens(alone=True)
    pace.note(512, 60.0, alone=False)  # the machine slept
    assert pace.n_tokens(alone=False) == 16
    assert settle(0.01, 0.0001) == 512
    pace.note(15, 9.0, alone=False)
    assert pace.n_tokens(alone=False) == 512


@given(st.lists(st.integers(1, 300), min_size=1, max_size=9), st.integers(1, 512), st.integers(0, 9))
def test_shares_waste_nothing_and_give_the_first_its_half(n_left: list[int], budget: int, turn: int) -> None:
    shares = prompt_shares(n_left, budget, turn)
    assert all(0 <= share <= left for share, left in zip(shares, n_left, strict=True))
    assert sum(shares) == min(budget, sum(n_left))
    two_turns = shares[0] + prompt_shares(n_left, budget, turn + 1)[0]
    assert two_turns >= min(n_left[0], budget - PIECE)
    for i in range(1, len(n_left)):
        shorter = [
            share == left for share, left in zip(shares[1:], n_left[1:], strict=True) if left < n_left[i]
        ]
        assert not shares[i] or all(shorter), "a longer prompt goes on while a shorter one waits"


def test_rows_of_logits_are_shared_too() -> None:
    engine = make_engine(LAYOUT, n_ctx=700, n_tokens=100, n_blocks=60)
    rows = engine.limits.n_outputs - engine.limits.n_sequences + 1
    long = start(engine, [1] * 600, max_tokens=0, prompt_logprobs=0)
    engine.step()
    short = start(engine, [2] * 40, max_tokens=0, prompt_logprobs=0)
    plain = start(engine, [3] * 40, max_tokens=1)
    n_steps = 0
    while short.finish_reason is None:
        engine.step()
        n_steps += 1
    assert n_steps <= 2 * 40 / rows + 2
    assert plain.finish_reason == "length", "whose rows nobody wants does not wait for rows"
    assert long.n_read >= 40, "it had its half"
    finish(engine)
    assert [len(s.prompt_logprobs) for s in (long, short)] == [600, 40]


def test_a_prompt_starts_only_with_what_others_leave_for_good() -> None:
    """The second would find its blocks free, but the first has not taken its own yet."""
    layout = layout_of(0)
    engine = make_engine(layout, n_ctx=160, n_tokens=32, n_blocks=6)
    first = start(engine, [1] * 150, max_tokens=5)
    engine.step()
    second = start(engine, [2] * 100, max_tokens=5)
    finish(engine)
    assert engine.stats().preemptions == 0
    assert second.times.first_token > first.times.finished
    for sequence in (first, second):
        assert sequence.generated == plain_generation(sequence, layout, 160)
