"""The thread team: the same bits for any number of threads, and no threads left behind."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from helpers.batches import Piece, load_golden, open_executor

from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.runtime import MAX_THREADS, Team, usable_processors
from rushlight.errors import InvalidParameter
from rushlight.gguf import open_gguf
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
    np.testing.assert_array_equal(executor.step(batch), first)  # the threads start again
    executor.close()


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


@pytest.mark.parametrize("n_threads", [0, -1, MAX_THREADS + 1])
def test_a_number_of_threads_out_of_range_is_refused(n_threads: int) -> None:
    with pytest.raises(InvalidParameter, match=f"n_threads is {n_threads}"):
        Team(n_threads, 0)


def test_this_process_may_use_a_processor() -> None:
    assert usable_processors() >= 1
