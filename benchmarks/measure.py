"""What is measured, each in a process of its own: ``python -m benchmarks.measure MODEL THREADS`` prints JSON.

Speeds come from the answer's own timings: a prompt of random tokens, then greedy tokens that ignore the end.
The time to the first word is of a whole process, from its start to the first byte on its standard output.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from statistics import median

PROMPT_TOKENS = 512
DECODE_TOKENS = 128
REPEATS = 3


def speeds(model: str, n_threads: int) -> dict[str, float]:
    """Prefill and decode speed (tokens a second, the median of `REPEATS`) and peak memory (MiB)."""
    import numpy as np

    from rushlight import LLM, EngineOptions, SamplingParams

    rng = np.random.default_rng(0)
    params = SamplingParams(max_tokens=DECODE_TOKENS, temperature=0, ignore_eos=True)
    prefill, decode = [], []
    with LLM(model, n_threads=n_threads, options=EngineOptions(prefix_cache=False)) as llm:
        for _ in range(REPEATS + 1):
            prompt = rng.integers(256, min(32000, llm.tokenizer.n_vocab), PROMPT_TOKENS).tolist()
            timings = llm.generate(prompt, params).timings
            prefill.append(timings.prompt_tokens / timings.prompt_seconds)
            decode.append((timings.completion_tokens - 1) / timings.completion_seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"prefill": median(prefill[1:]), "decode": median(decode[1:]), "memory": peak}


def first_word(model: str, n_threads: int, home: str | None = None) -> float:
    """Seconds from the start of ``rushlight run`` to its first byte; `home` keeps another kernel cache."""
    command = [
        sys.executable,
        "-m",
        "rushlight",
        "run",
        "--raw",
        "-m",
        model,
        "--threads",
        str(n_threads),
        "-n",
        "1",
    ]
    environment = {**os.environ, **({"RUSHLIGHT_HOME": home} if home else {})}
    start = time.perf_counter()
    with subprocess.Popen(
        [*command, "--temperature", "0", "Once"], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        seconds = time.perf_counter() - start
        process.stdout.read()
    if process.returncode:
        raise SystemExit(f"rushlight run ended with {process.returncode}")
    return seconds


if __name__ == "__main__":
    print(json.dumps(speeds(sys.argv[1], int(sys.argv[2]))))
