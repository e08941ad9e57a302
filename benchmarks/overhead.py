"""Time per token outside the native program: ``python -m benchmarks.overhead FILE THREADS N`` prints JSON.

Every call of `Team.run` is timed; what a greedy answer takes beside these calls is Python's: scheduling,
building the batch, sampling, text.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise
from statistics import median

from rushlight import LLM, SamplingParams
from rushlight.backends.cpu.runtime import Team


def outside_native(file: str, n_threads: int, n_tokens: int) -> dict[str, float]:
    """Microseconds of a decoded token outside the native program, and in all: medians over the tokens."""
    native: list[tuple[float, float]] = []
    run = Team.run

    def timed(self: Team, program: int, step: int) -> None:
        start = time.perf_counter()
        run(self, program, step)
        native.append((start, time.perf_counter()))

    Team.run = timed  # type: ignore[method-assign]
    params = SamplingParams(max_tokens=n_tokens, temperature=0, ignore_eos=True)
    with LLM(file, n_threads=n_threads, n_ctx=n_tokens + 16) as llm:
        for _ in range(2):
            native.clear()
            llm.generate([1], params)
    gaps = [after[0] - before[1] for before, after in pairwise(native)]
    steps = [after[0] - before[0] for before, after in pairwise(native)]
    return {"outside_us": median(gaps) * 1e6, "token_us": median(steps) * 1e6}


if __name__ == "__main__":
    print(json.dumps(outside_native(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
