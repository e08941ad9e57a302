"""Write type_logits.npz: llama.cpp's last logits of the tiny llama model in each tensor type.

The models' files are made by a Python that has Rushlight and its tests, the logits by the oracle's (see
oracle.py)::

    PYTHONPATH=tests python tests/goldens/make_type_logits.py models FOLDER
    oracle/bin/python tests/goldens/make_type_logits.py logits FOLDER

llama.cpp cannot multiply by weights in Q8_K, which it uses for activations only.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

N_ROWS = 2


def write_models(folder: Path) -> None:
    """A file for each type, and the ids."""
    from helpers.type_models import IDS, write_in_type

    from rushlight.gguf import GGMLType

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ids.json").write_text(json.dumps(IDS))
    for type in GGMLType:
        if type is not GGMLType.Q8_K:
            write_in_type(folder / f"{type.name}.gguf", type)


def write_logits(folder: Path) -> None:
    """The golden."""
    from oracle import Oracle, provenance

    ids = json.loads((folder / "ids.json").read_text())
    golden = {"provenance": np.array(json.dumps(provenance()))}
    for path in sorted(folder.glob("*.gguf")):
        with Oracle(path, 256) as oracle:
            golden[path.stem] = oracle.decode(ids, n_last=N_ROWS)
        golden[f"{path.stem}.sha256"] = np.array(hashlib.sha256(path.read_bytes()).hexdigest())
    np.savez_compressed(Path(__file__).with_name("type_logits.npz"), **golden)


if __name__ == "__main__":
    {"models": write_models, "logits": write_logits}[sys.argv[1]](Path(sys.argv[2]))
