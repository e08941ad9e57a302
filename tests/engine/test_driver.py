from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue

import numpy as np
import pytest
from fake_executor import FakeExecutor, assert_all_blocks_are_back, layout_of, make_engine, plain_generation

from rushlight.backends.batch import Batch
from rushlight.engine.driver import Driver
from rushlight.engine.engine import Engine
from rushlight.engine.sequence import Sequence
from rushlight.errors import QueueFull, RushlightError
from rushlight.params import SamplingParams
from rushlight.sampling import Sampled

LAYOUT = layout_of(0, 40)
WAIT = 30


class Waiter:
    """A listener that others can wait for."""

    def __init__(self) -> None:
        self.tokens: SimpleQueue[int] = SimpleQueue()
        self.done = threading.Event()

    def token(self, sampled: Sampled) -> bool:
        self.tokens.put(sampled.token_id)
        return False

    def finished(self, sequence: Sequence) -> None:
        self.done.set()


@pytest.fixture
def engine() -> Engine:
    return make_engine(LAYOUT, n_ctx=160, n_sequences=4)


@pytest.fixture
def driver(engine: Engine) -> Iterator[Driver]:
    driver = Driver(engine)
    yield driver
    driver.close()


def ask(engine: Engine, driver: Driver, prompt: list[int], **params: object) -> tuple[Sequence, Waiter]:
    waiter = Waiter()
    options = SamplingParams(**{"temperature": 0, "ignore_eos": True, **params})  # type: ignore[arg-type]
    sequence = engine.sequence(prompt, options, listener=waiter)
    driver.submit(sequence)
    return sequence, waiter


def test_many_threads_get_their_own_words_and_share_steps(
    engine: Engine, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    results: dict[int, Sequence] = {}
    everyone = threading.Barrier(8 + 1)
    step = engine.step

    def first_step() -> None:
        monkeypatch.setattr(engine, "step", step)
        everyone.wait(WAIT)
        step()

    monkeypatch.setattr(engine, "step", first_step)

    def work(i: int) -> None:
        sequence, waiter = ask(engine, driver, [i] * (20 + i), max_tokens=25)
        everyone.wait(WAIT)
        assert waiter.done.wait(WAIT)
        results[i] = sequence

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    for i in range(8):
        assert results[i].generated == plain_generation(results[i], LAYOUT, 160)
    executor = engine._executor
    assert isinstance(executor, FakeExecutor)
    assert max(batch.n_sequences for batch in executor.batches) > 1
    assert_all_blocks_are_back(engine)


def test_stats_count_what_waits_runs_and_has_ended(
    engine: Engine, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at from another thread while the engine stands in a step."""
    at_step, go_on = SimpleQueue[None](), SimpleQueue[None]()
    step = engine._executor.step

    def halting(batch: Batch) -> np.ndarray:
        at_step.put(None)
        go_on.get(timeout=WAIT)
        return step(batch)

    monkeypatch.setattr(engine._executor, "step", halting)
    requests = [ask(engine, driver, [1] * 70, max_tokens=2)]
    at_step.get(timeout=WAIT)
    requests += [ask(engine, driver, [i] * 10, max_tokens=2) for i in range(2, 8)]
    stats = driver.stats()
    assert (stats.n_waiting, stats.n_running) == (6, 1)
    assert [(b.used, b.kept, b.total) for b in stats.blocks] == [(1, 0, 40)] * 2
    driver.abort(requests[0][0])
    driver.abort(requests[1][0])
    go_on.put(None)
    at_step.get(timeout=WAIT)
    stats = driver.stats()
    assert (stats.n_waiting, stats.n_running, stats.finished["abort"]) == (1, 4, 2)
    assert [b.used for b in stats.blocks] == [4, 4], "an abort frees blocks before the next step begins"
    for _ in range(20):
        go_on.put(None)
    assert all(waiter.done.wait(WAIT) for _, waiter in requests)
    stats = driver.stats()
    assert (stats.n_waiting, stats.n_running, stats.preemptions) == (0, 0, 0)
    assert [(b.used, b.total) for b in stats.blocks] == [(0, 40)] * 2
    assert (stats.prompt_tokens, stats.cached_tokens, stats.generated_tokens) == (70 + 5 * 10, 0, 10)
    assert stats.computed_tokens == 32 + 5 * 11  # the last token of an answer is not computed
    assert stats.finished == {"stop": 0, "length": 5, "abort": 2, "error": 0, "tool_calls": 0}


def test_one_too_many_is_refused_until_another_ends(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(engine, n_waiting=2)
    go_on = threading.Event()
    step = engine._executor.step

    def halting(batch: Batch) -> np.ndarray:
        assert go_on.wait(WAIT)
        return step(batch)

    monkeypatch.setattr(engine._executor, "step", halting)
    requests = [ask(engine, driver, [i], max_tokens=20) for i in range(6)]  # four of them may run at once
    with pytest.raises(QueueFull, match="6 requests run or wait"):
        ask(engine, driver, [6])
    with pytest.raises(QueueFull), driver.running([engine.sequence([7])]):
        pass
    driver.abort(requests[5][0])
    go_on.set()
    assert requests[5][1].done.wait(WAIT)
    requests.append(ask(engine, driver, [8], max_tokens=5))
    assert all(waiter.done.wait(WAIT) for _, waiter in requests)
    assert driver.n_unfinished == 0
    for sequence, _ in requests[:5]:
        assert sequence.generated == plain_generation(sequence, LAYOUT, 160)
    driver.close()


def test_abort_ends_a_sequence_and_leaves_the_others(
    engine: Engine, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, aborted = engine.step, threading.Event()

    def step_and_wait() -> None:
        step()
        assert aborted.wait(WAIT)

    monkeypatch.setattr(engine, "step", step_and_wait)
    endless, first = ask(engine, driver, [1, 2, 3], max_tokens=150)
    other, second = ask(engine, driver, [4, 5, 6], max_tokens=100)
    first.tokens.get(timeout=WAIT)
    driver.abort(endless)
    aborted.set()
    assert first.done.wait(WAIT)
    assert second.done.wait(WAIT)
    assert endless.finish_reason == "abort"
    assert other.generated == plain_generation(other, LAYOUT, 160)


def test_who_comes_or_goes_hurries_the_call_at_hand(engine: Engine, driver: Driver) -> None:
    executor = engine._executor
    assert isinstance(executor, FakeExecutor)
    sequence, waiter = ask(engine, driver, [1, 2, 3], max_tokens=150)
    assert executor.n_hurries == 1
    driver.abort(sequence)
    assert executor.n_hurries == 2
    assert waiter.done.wait(WAIT)


def test_leaving_a_block_aborts_what_runs_in_it(engine: Engine, driver: Driver) -> None:
    waiter = Waiter()
    params = SamplingParams(ignore_eos=True)
    endless = engine.sequence([1, 2], params, listener=waiter)
    broken = engine.sequence([3], params, listener=waiter)
    submit = driver.submit

    def interrupted(sequence: Sequence) -> None:
        if sequence is broken:
            raise KeyboardInterrupt
        submit(sequence)

    driver.submit = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt), driver.running([endless, broken]):
        pass
    driver.submit = submit  # type: ignore[method-assign]
    assert waiter.done.wait(WAIT)
    assert endless.finish_reason in {"abort", "length"}
    _, other = ask(engine, driver, [5], max_tokens=3)
    assert other.done.wait(WAIT), "the driver outlives the abort of a sequence that was never submitted"
    assert broken.finish_reason is None


def test_close_ends_everything_and_is_final(engine: Engine) -> None:
    driver = Driver(engine)
    sequence, waiter = ask(engine, driver, [1, 2, 3], max_tokens=150)
    waiter.tokens.get(timeout=WAIT)
    driver.close()
    driver.close()
    assert waiter.done.is_set()
    assert sequence.finish_reason == "length" or isinstance(sequence.error, RushlightError)
    assert isinstance(engine._executor, FakeExecutor)
    assert engine._executor.closed
    with pytest.raises(RushlightError, match="closed"):
        ask(engine, driver, [1])


def test_an_unforeseen_error_reaches_every_waiting_thread(
    engine: Engine, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(engine._scheduler, "schedule", broken)
        asked = [ask(engine, driver, [i, i], max_tokens=3) for i in range(3)]
        assert all(waiter.done.wait(WAIT) for _, waiter in asked)
        assert {type(sequence.error) for sequence, _ in asked} == {ZeroDivisionError}
    sequence, waiter = ask(engine, driver, [1, 2], max_tokens=3)
    assert waiter.done.wait(WAIT)
    assert sequence.generated == plain_generation(sequence, LAYOUT, 160)
