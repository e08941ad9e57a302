"""Time per token outside the native program: ``python -m benchmarks.overhead FILE THREADS N`` prints JSON.

Every call of `Team.run` is timed, whatever number of tokens it computes; what a greedy answer takes beside
these calls is Python's: scheduling, building the batch, sampling, text. That time is divided by the tokens.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import groupby, pairwise
from statistics import median
from typing import NamedTuple

from rushlight import LLM, SamplingParams
from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.runtime import Team


class _Call(NamedTuple):
    """When a native call began and ended, and how many tokens of the answer there were before."""

    start: float
    end: float
    n_tokens: int


def outside_native(file: str, n_threads: int, n_tokens: int) -> dict[str, float]:
    """Microseconds of a decoded token outside native calls, and in all: medians over stretches of an answer.

    A stretch is as long as a block of the KV cache, so that each has its share of what comes once a block;
    its time and its native calls' time are those of all its tokens together, divided by their number.
    """
    calls: list[_Call] = []
    run = Team.run
    with LLM(file, n_threads=n_threads, n_ctx=n_tokens + 16) as llm:
        counters = llm._engine._counters

        def timed(self: Team, program: int, step: int) -> None:
            start, n_generated = time.perf_counter(), counters.generated_tokens
            run(self, program, step)
            calls.append(_Call(start, time.perf_counter(), n_generated))

        Team.run = timed  # type: ignore[method-assign]
        params = SamplingParams(max_tokens=n_tokens, temperature=0, ignore_eos=True)
        for _ in range(2):
            calls.clear()
            n_before = counters.generated_tokens
            llm.generate([1], params)
        Team.run = run  # type: ignore[method-assign]
    outside, whole = [], []
    steps = list(pairwise(call for call in calls if call.n_tokens > n_before))  # the first is the prompt's
    for _, stretch in groupby(steps, lambda step: (step[0].n_tokens - n_before) // BLOCK_TOKENS):
        of_stretch = list(stretch)
        (first, _), (_, last) = of_stretch[0], of_stretch[-1]
        n = last.n_tokens - first.n_tokens
        outside.append(sum(after.start - before.end for before, after in of_stretch) / n)
        whole.append((last.start - first.start) / n)
    return {"outside_us": median(outside) * 1e6, "token_us": median(whole) * 1e6}


if __name__ == "__main__":
    print(json.dumps(outside_native(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
