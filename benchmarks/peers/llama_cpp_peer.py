"""llama-cpp-python, in a process of its own; see `benchmarks.python_peer` for what it is told and tells."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import llama_cpp


def tokens(llm: Any, prompt: list[int], n: int) -> tuple[list[int], list[float]]:
    """Generate `n` tokens greedily; the moments when each was there, the start first."""
    found: list[int] = []
    moments = [time.perf_counter()]
    for token in llm.generate(prompt, temp=0.0, top_k=1, reset=True):
        found.append(token)
        moments.append(time.perf_counter())
        if len(found) == n:
            break
    return found, moments


def main() -> None:
    task = json.loads(sys.argv[1])
    prompt, n, threads = task["prompt"], task["n_decode"], task["threads"]
    llm = llama_cpp.Llama(
        task["file"],
        n_ctx=len(prompt) + n + 64,
        n_threads=threads,
        n_threads_batch=threads,
        verbose=False,
    )
    found: dict[str, Any] = {"version": llama_cpp.__version__}
    if task.get("greedy"):
        found["greedy"], _ = tokens(llm, prompt, n)
        return print(json.dumps(found))
    tokens(llm, [9] * 32, 2)  # shares no beginning with the prompt, which would be kept
    if prompt:
        _, (start, first) = tokens(llm, prompt, 1)
        found["prefill"] = len(prompt) / (first - start)
    if n:
        _, moments = tokens(llm, [7], n + 1)
        found["decode"] = n / (moments[-1] - moments[1])
    print(json.dumps(found))


main()
