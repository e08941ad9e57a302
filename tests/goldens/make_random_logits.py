"""Record llama.cpp's logits and greedy tokens of random models: tests/goldens/random/<name>.npz.

Run from the repository root with the Python of the oracle's environment (see oracle.py):

    PYTHONPATH=.:tests oracle/bin/python tests/goldens/make_random_logits.py [name ...]

A prompt of random tokens is decoded at once, past every window and original context, and continued greedily,
one token after the other. Each file holds

    ids        [T] int32    the prompt and its continuation
    n_prompt   int          tokens of the prompt
    positions  [P] int32    the positions whose logits are kept
    logits     [P, V] f32   of the float32 file, by llama.cpp with a float32 cache
    metadata   JSON         the SHA-256 of the model's file, the context, versions, and `float_rounding`: the
                            norm of the difference between logits and those of the same tokens decoded one by
                            one, over the norm of logits
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from helpers.random_models import RandomModel, write_random_model
from helpers.random_tables import RANDOM_MODELS
from tiny_vocab import N_VOCAB

TARGET = Path(__file__).parent / "random"
N_CTX = 256
N_PROMPT, N_GREEDY = 72, 8
KEPT = (11, 40, 56, 71, 73, 75, 77, 79)


def make(model: RandomModel, folder: Path) -> None:
    """Write one golden."""
    from oracle import Oracle, provenance

    path = folder / f"{model.name}.gguf"
    sha256 = write_random_model(model, path)
    ids = np.random.RandomState(1).randint(0, N_VOCAB, N_PROMPT).tolist()
    with Oracle(path, N_CTX) as oracle:
        rows = [oracle.decode(ids)]
        for _ in range(N_GREEDY):
            ids.append(int(rows[-1][-1].argmax()))
            rows.append(oracle.decode(ids[-1:], start=len(ids) - 1))
        oracle.clear()
        stepwise = np.concatenate([oracle.decode([token], i) for i, token in enumerate(ids)])[list(KEPT)]
    logits = np.concatenate(rows)[list(KEPT)]
    float_rounding = float(np.linalg.norm(logits - stepwise) / np.linalg.norm(logits))
    np.savez_compressed(
        TARGET / f"{model.name}.npz",
        ids=np.array(ids, np.int32),
        n_prompt=N_PROMPT,
        positions=np.array(KEPT, np.int32),
        logits=logits,
        metadata=json.dumps(
            {"sha256": sha256, "n_ctx": N_CTX, "float_rounding": float_rounding, **provenance()}
        ),
    )
    print(f"{model.name:20s} spread {logits.std():.2f}  rounding {float_rounding:.1e}  {ids[N_PROMPT:]}")


def main() -> None:
    """Make the models named on the command line, or all of them."""
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for model in RANDOM_MODELS:
            if model.oracle == "llama.cpp" and (len(sys.argv) == 1 or model.name in sys.argv[1:]):
                make(model, Path(folder))


if __name__ == "__main__":
    main()
