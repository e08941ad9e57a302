"""Write scaled_logits.npz: llama.cpp's last logits of tiny models in NVFP4 with factors of their matrices.

The models' files are made by a Python that has Rushlight and its tests, the logits by the oracle's (see
oracle.py)::

    PYTHONPATH=tests python tests/goldens/make_scaled_logits.py models FOLDER
    oracle/bin/python tests/goldens/make_scaled_logits.py logits FOLDER
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

N_ROWS = 6


def write_models(folder: Path) -> None:
    """A file of each kind, and the ids."""
    from helpers.scaled_models import IDS, KINDS, write_scaled_model

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ids.json").write_text(json.dumps(IDS))
    for kind in KINDS:
        write_scaled_model(folder / f"{kind}.gguf", kind)


def write_logits(folder: Path) -> None:
    """The golden."""
    from oracle import Oracle, provenance

    ids = json.loads((folder / "ids.json").read_text())
    golden = {"provenance": np.array(json.dumps(provenance()))}
    for path in sorted(folder.glob("*.gguf")):
        with Oracle(path, 256) as oracle:
            golden[path.stem] = oracle.decode(ids, n_last=N_ROWS)
        golden[f"{path.stem}.sha256"] = np.array(hashlib.sha256(path.read_bytes()).hexdigest())
    np.savez_compressed(Path(__file__).with_name("scaled_logits.npz"), **golden)


if __name__ == "__main__":
    {"models": write_models, "logits": write_logits}[sys.argv[1]](Path(sys.argv[2]))
