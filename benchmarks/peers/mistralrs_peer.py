"""mistral.rs, in a process of its own; see `benchmarks.python_peer` for what it is told and tells.

It takes its prompt as text and counts tokens itself, and its number of threads from the environment.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mistralrs


def usage(runner: Any, prompt: str, n: int) -> Any:
    request = mistralrs.CompletionRequest(
        prompt=prompt, model="default", max_tokens=n, temperature=0.0, top_k=1, ignore_eos=True
    )
    return runner.send_completion_request(request).usage


def main() -> None:
    task = json.loads(sys.argv[1])
    file = Path(task["file"]).resolve()
    which = mistralrs.Which.GGUF(quantized_model_id=str(file.parent), quantized_filename=file.name)
    runner = mistralrs.Runner(which, max_seqs=1, no_paged_attn=True, prefix_cache_n=0)
    found: dict[str, Any] = {"version": version("mistralrs")}
    usage(runner, "once upon a time", 4)
    if task["prompt"]:
        # One word a token; the count that it tells is what its speed is made of.
        used = usage(runner, " the" * len(task["prompt"]), 1)
        found["prefill"] = used.prompt_tokens / used.total_prompt_time_sec
        found["prompt_tokens"] = used.prompt_tokens
    if task["n_decode"]:
        used = usage(runner, "Once", task["n_decode"] + 1)
        found["decode"] = task["n_decode"] / used.total_completion_time_sec
    print(json.dumps(found))


main()
