"""The thread team: the same bits for any number of threads, and no threads left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.batches import Piece, load_golden, open_executor
from helpers.cpu import PoisonedExecutor, flat_batch, randn, tensor

from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.runtime import MAX_THREADS
from rushlight.errors import InvalidParameter, RushlightError
from rushlight.gguf import GGMLType, open_gguf
from rushlight.models import load_model


def team_threads() -> int:
    return sum(thread.name.startswith("rushlight-") for thread in threading.enumerate())


def test_any_number_of_threads_gives_the_same_bits() -> None:
    golden = load_golden("llama-mix")
    found = []
    for n_threads in (1, 2, 3, 8):
        backend = CpuBackend(n_threads)
        with open_gguf(golden.path) as file:
            model = load_model(file, backend, golden.n_ctx)
            executor, paging = open_executor(backend, model, golden.n_ctx)
            n = len(golden.ids)
            steps = [Piece(golden.ids[:20]), *(Piece([golden.ids[i]], i) for i in range(20, n))]
            found.append(np.concatenate([executor.step(paging.batch([piece])).copy() for piece in steps]))
            executor.close()
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_closing_ends_the_threads_and_may_be_repeated() -> None:
    before = team_threads()
    golden = load_golden("llama-f32")
    backend = CpuBackend(4)
    with open_gguf(golden.path) as file:
        model = load_model(file, backend, golden.n_ctx)
        executor, paging = open_executor(backend, model, golden.n_ctx)
    batch = paging.batch([Piece(golden.ids[:8])])
    first = executor.step(batch).copy()
    assert team_threads() == before + 3
    executor.close()
    executor.close()
    assert team_threads() == before
    with pytest.raises(RushlightError, match="closed"):
        executor.step(batch)
    # Another executor of the same backend starts the threads again.
    with open_gguf(golden.path) as file:
        other, _ = open_executor(backend, load_model(file, backend, golden.n_ctx), golden.n_ctx)
    np.testing.assert_array_equal(other.step(batch), first)
    other.close()


def test_closing_gives_the_memory_back() -> None:
    executor = PoisonedExecutor(every_op, randn(9, 64), backend=CpuBackend(2)).executor
    executor.step(flat_batch(range(9)))
    gone = [weakref.ref(executor.binding.arena), weakref.ref(executor.binding)]
    executor.close()
    assert [reference() for reference in gone] == [None] * 2


def test_an_idle_team_takes_no_processor_time() -> None:
    golden = load_golden("llama-f32")
    backend = CpuBackend(4)
    with open_gguf(golden.path) as file:
        model = load_model(file, backend, golden.n_ctx)
        executor, paging = open_executor(backend, model, golden.n_ctx)
    executor.step(paging.batch([Piece(golden.ids[:8])]))
    start = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - start < 0.1  # of 1.2 s, if the threads were spinning
    executor.close()


def every_op(backend: CpuBackend) -> Any:
    """A program of small ops, in which threads meet often and sometimes find no work."""
    matrix = backend.matrix(tensor(randn(40, 64)), tensor(randn(24, 64, seed=1), GGMLType.Q4_0))
    norm = backend.vector(tensor(randn(64, seed=2)))

    def forward(ops: Any, x: Any) -> Any:
        for _ in range(4):
            x = ops.rms_norm(ops.add(x, ops.linear(x, matrix)), norm, 1e-5)
        return ops.silu_mul(x, ops.gelu(x))

    return forward


def test_many_steps_meet_at_every_barrier() -> None:
    x = randn(9, 64)
    one, three = (PoisonedExecutor(every_op, x, backend=CpuBackend(n)).executor for n in (1, 3))
    expected = [one.step(flat_batch(range(n))).copy() for n in range(1, 10)]
    for i in range(600):
        n = i % 9 + 1
        np.testing.assert_array_equal(three.step(flat_batch(range(n))), expected[n - 1])
    three.close()


def test_two_callers_take_turns() -> None:
    """Executors of one backend share its team; called from two threads at once, neither spoils the other."""
    x, backend = randn(9, 64), CpuBackend(2)
    runs = [PoisonedExecutor(every_op, x + i, backend=backend).executor for i in range(2)]
    batch, wrong = flat_batch(range(9)), []
    expected = [run.step(batch).copy() for run in runs]

    def call(i: int) -> None:
        for _ in range(150):
            if not np.array_equal(runs[i].step(batch), expected[i]):
                wrong.append(i)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert not wrong
    assert not any(caller.is_alive() for caller in callers)
    runs[0].close()


@pytest.mark.parametrize("n_threads", [0, -1, MAX_THREADS + 1])
def test_a_number_of_threads_out_of_range_is_refused(n_threads: int) -> None:
    with pytest.raises(InvalidParameter, match=f"n_threads is {n_threads}"):
        CpuBackend(n_threads)


INTERRUPTED = """
import _thread, threading, time
from helpers.cpu import PoisonedExecutor, flat_batch, randn
from rushlight.backends.cpu import CpuBackend
from test_runtime import every_op

executor = PoisonedExecutor(every_op, randn(9, 64), backend=CpuBackend(3)).executor
expected = executor.step(flat_batch(range(9))).copy()
armed, stop = threading.Event(), threading.Event()

def strike():
    armed.wait()
    while not stop.wait(0.0007):
        _thread.interrupt_main()

threading.Thread(target=strike, daemon=True).start()
n_interrupted, end = 0, time.monotonic() + 30
while n_interrupted < 300 and time.monotonic() < end:
    try:
        armed.set()
        while True:
            executor.step(flat_batch(range(9)))
    except KeyboardInterrupt:
        n_interrupted += 1
calm = False
while not calm:
    try:
        stop.set()
        time.sleep(0.1)
        calm = True
    except KeyboardInterrupt:
        pass
assert (executor.step(flat_batch(range(9))) == expected).all()
start = time.process_time()
time.sleep(0.3)
assert time.process_time() - start < 0.1, "a thread still spins"
executor.close()
print(n_interrupted)
"""


def test_interrupts_never_leave_a_thread_behind() -> None:
    """Ctrl-C comes between any two instructions of Python; the team's next program runs as if it had not."""
    tests = Path(__file__).parents[2]
    path = os.pathsep.join([str(tests.parent), str(tests), str(Path(__file__).parent)])
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) == 300
