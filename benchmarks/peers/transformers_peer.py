"""transformers with PyTorch in its own process; see `benchmarks.python_peer` for what it is told and tells.

It widens the weights to float32 or bfloat16, so it has no quantized arithmetic.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
import transformers


def seconds(model: Any, prompt: list[int], n: int) -> float:
    start = time.perf_counter()
    ids = torch.tensor([prompt])
    model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=n,
        min_new_tokens=n,
        do_sample=False,
        pad_token_id=0,
    )
    return time.perf_counter() - start


def main() -> None:
    task = json.loads(sys.argv[1])
    torch.set_num_threads(task["threads"])
    file = Path(task["file"]).resolve()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=getattr(torch, task["variant"])
    )
    found: dict[str, Any] = {"version": f"{transformers.__version__}, torch {torch.__version__}"}
    prompt, n = task["prompt"], task["n_decode"]
    seconds(model, [9] * 32, 2)
    if prompt:
        found["prefill"] = len(prompt) / seconds(model, prompt, 1)
    if n:
        one = seconds(model, [7], 1)
        found["decode"] = n / (seconds(model, [7], n + 1) - one)
    print(json.dumps(found))


main()
