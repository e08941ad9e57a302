"""Record llama.cpp's logits for the tiny models: tests/goldens/logits/<case>.npz.

Run from the repository root with the Python of the oracle's environment (see oracle.py):

    oracle/bin/python tests/goldens/make_logits.py [case ...]

Each file holds

    ids        [T] int32    the token sequence
    positions  [P] int32    the positions whose logits are kept
    logits     [P, V] f32   by llama.cpp from the file: 8-bit activations where weights are quantized
    exact      [P, V] f32   by llama.cpp from the file's float32 twin (see f32_twin.py)
    metadata   JSON         the case, versions, and two measured sizes of error, each the largest difference:
                            `activation_rounding` between logits and exact, `float_rounding` between exact
                            and the same tokens decoded one by one

llama.cpp (at the recorded commit) ignores phi3's sliding window. The case phi3-swa-f32 applies it by dropping
older entries from the cache before each token is decoded alone: what a layer then sees is its window and
nothing else, and the entries it sees were made under the same rule. phi3-q4_k_m has a window longer than the
sequence.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from f32_twin import write_f32_twin
from make_tiny_models import TINY_DIR
from numpy.typing import NDArray
from oracle import Oracle, provenance
from tiny_specs import TINY_MODELS
from tiny_vocab import N_VOCAB

LOGITS_DIR = Path(__file__).parent / "logits"


@dataclass(frozen=True)
class Case:
    """One golden: a model, a context size, a sequence length, and how many of its last rows to keep."""

    name: str
    model: str
    n_ctx: int = 256
    n_tokens: int = 56
    n_kept: int = 56
    emulated_window: int = 0


CASES = (
    *(Case(m.name, m.name) for m in TINY_MODELS if m.name not in ("phi3-swa-f32", "phi3-longrope-f32")),
    Case("phi3-swa-f32", "phi3-swa-f32", emulated_window=16),
    Case("phi3-longrope-short-f32", "phi3-longrope-f32", n_ctx=256),
    Case("phi3-longrope-long-f32", "phi3-longrope-f32", n_ctx=512, n_tokens=280, n_kept=32),
)


def _one_by_one(oracle: Oracle, ids: list[int], window: int) -> NDArray[np.float32]:
    rows = []
    for position, token in enumerate(ids):
        if window:
            oracle.forget_before(max(0, position - window + 1))
        rows.append(oracle.decode([token], position))
    return np.concatenate(rows)


def _logits(path: Path, case: Case, ids: list[int]) -> NDArray[np.float32]:
    with Oracle(path, case.n_ctx) as oracle:
        return _one_by_one(oracle, ids, case.emulated_window) if case.emulated_window else oracle.decode(ids)


def _exact(path: Path, case: Case, ids: list[int]) -> tuple[NDArray[np.float32], float]:
    """Logits of the float32 twin, and how far decoding token by token is from them."""
    with tempfile.TemporaryDirectory() as folder:
        twin = Path(folder) / "twin.gguf"
        write_f32_twin(path, twin)
        exact = _logits(twin, case, ids)
        with Oracle(twin, case.n_ctx) as oracle:
            stepwise = _one_by_one(oracle, ids, case.emulated_window)
    return exact, float(np.abs(exact - stepwise).max())


def make(case: Case) -> None:
    """Write one golden."""
    path = TINY_DIR / f"{case.model}.gguf"
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    ids = [int(i) for i in rng.integers(0, N_VOCAB, case.n_tokens)]
    logits = _logits(path, case, ids)
    exact, float_rounding = _exact(path, case, ids)
    activation_rounding = float(np.abs(logits - exact).max())
    sizes = {"activation_rounding": activation_rounding, "float_rounding": float_rounding}
    kept = slice(case.n_tokens - case.n_kept, None)
    np.savez_compressed(
        LOGITS_DIR / f"{case.name}.npz",
        ids=np.array(ids, np.int32),
        positions=np.arange(case.n_tokens, dtype=np.int32)[kept],
        logits=logits[kept],
        exact=exact[kept],
        metadata=json.dumps({**asdict(case), **sizes, **provenance()}),
    )
    print(f"{case.name:26s} 8-bit {activation_rounding:.4f}  f32 {float_rounding:.6f}")


def main() -> None:
    """Make the cases named on the command line, or all of them."""
    LOGITS_DIR.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        if len(sys.argv) == 1 or case.name in sys.argv[1:]:
            make(case)


if __name__ == "__main__":
    main()
