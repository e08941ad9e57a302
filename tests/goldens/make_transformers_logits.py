"""Record the logits and greedy tokens that transformers gives for random models llama.cpp runs otherwise.

Run from the repository root with a Python that has torch, transformers and gguf:

    PYTHONPATH=.:tests python tests/goldens/make_transformers_logits.py [name ...]

llama.cpp has the sparse attention of minimax-m3 with flash attention alone, which rounds to halves, and turns
the indexer of dots3note otherwise. The files are those of make_random_logits.py, for the rows of the tables
whose `oracle` is "transformers".
`float_rounding` is the norm of the difference between logits and those of the model in float64.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from helpers.random_models import RandomModel, tensors_of, write_random_model
from helpers.random_tables import RANDOM_MODELS
from make_random_logits import KEPT, N_CTX, N_GREEDY, N_PROMPT, TARGET
from tiny_vocab import N_VOCAB
from transformers_models import MAKERS


def logits(made: torch.nn.Module, ids: list[int]) -> Any:
    """Logits [T, V] of all tokens at once."""
    with torch.no_grad():
        return made(torch.tensor([ids]), use_cache=False).logits[0].numpy()


def make(model: RandomModel, folder: Path) -> None:
    """Write one golden."""
    sha256 = write_random_model(model, folder / "model.gguf")
    made = MAKERS[model.arch](model, tensors_of(model))
    ids = np.random.RandomState(1).randint(0, N_VOCAB, N_PROMPT).tolist()
    for _ in range(N_GREEDY):
        ids.append(int(logits(made, ids)[-1].argmax()))
    kept = logits(made, ids)[list(KEPT)]
    exact = logits(made.double(), ids)[list(KEPT)]
    rounding = float(np.linalg.norm(kept - exact) / np.linalg.norm(kept))
    provenance = {
        "oracle": "transformers",
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }
    np.savez_compressed(
        TARGET / f"{model.name}.npz",
        ids=np.array(ids, np.int32),
        n_prompt=N_PROMPT,
        positions=np.array(KEPT, np.int32),
        logits=kept,
        metadata=json.dumps({"sha256": sha256, "n_ctx": N_CTX, "float_rounding": rounding, **provenance}),
    )
    print(f"{model.name:20s} spread {kept.std():.2f}  rounding {rounding:.1e}  {ids[N_PROMPT:]}")


def main() -> None:
    """Make the models named on the command line, or all of them."""
    with tempfile.TemporaryDirectory() as folder:
        for model in RANDOM_MODELS:
            if model.oracle == "transformers" and (len(sys.argv) == 1 or model.name in sys.argv[1:]):
                make(model, Path(folder))


if __name__ == "__main__":
    main()
