"""What is measured: models, sizes and numbers of threads, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.random_model import random_model
from rushlight.hub import resolve

PARTS = ("models", "phi3", "depth", "batch", "start", "serve")
ROUNDS = {"models": 3, "phi3": 2, "depth": 1, "batch": 2, "start": 5, "serve": 2}
SECONDS = {"models": 360.0, "phi3": 570.0, "depth": 300.0, "batch": 60.0, "start": 90.0, "serve": 600.0}
"""When a part begins no further round; the first round is always whole."""

SMALL, SHAPE, SLICE = ("smollm2", "gemma3-270m"), "phi3-shape", "phi3-slice"
"""The slice has 2 of the shape's 32 layers and its output matrix. Keys and values are to the weights as in
the whole, so decode at depth is slowed down alike, and filling the cache takes seconds, not an hour."""

CLIENTS = (1, 4, 16, 64)

QUICK = 16
"""A quick run divides all sizes by this; it shows that everything works, and nothing else."""


@dataclass(frozen=True)
class Workload:
    """One model, on one number of threads, as ``llama-bench`` would describe it.

    Attributes:
        part: of `PARTS`.
        model: what the report calls it.
        threads: to compute with.
        n_prompt: tokens of the prompt; 0 leaves prefill out.
        n_decode: tokens to generate; 0 leaves decode out.
        depth: tokens in the cache before.
        sequences: that decode together, or clients that ask at once.
        warm: whether a run that does not count comes first; work of many seconds needs none.
    """

    part: str
    model: str
    threads: int
    n_prompt: int = 0
    n_decode: int = 0
    depth: int = 0
    sequences: int = 1
    warm: bool = True

    @property
    def label(self) -> str:
        """For the progress lines."""
        depth = f" at depth {self.depth}" if self.depth else ""
        together = f", {self.sequences} sequences" if self.sequences > 1 else ""
        return f"{self.part}: {self.model}{depth}{together}, {self.threads} threads"


def workloads(part: str, threads: tuple[int, ...], quick: bool) -> list[Workload]:
    """All of a part, fewer threads first."""
    most, scale = max(threads), QUICK if quick else 1
    found = {
        "models": [Workload(part, model, t, 512 // scale, 128 // scale) for model in SMALL for t in threads],
        "phi3": [
            Workload(part, f"{SHAPE}-{kind}", t, 512 // scale, 64 // scale, warm=False)
            for kind in ("q4_k_m", "q4_0")
            for t in threads
        ],
        "depth": [
            Workload(part, SLICE, most, 0, 32 // scale, 4096 // scale, warm=False),
            Workload(part, SLICE, most, 0, 16 // scale, 16384 // scale, warm=False),
            Workload(part, SLICE, most, 8192 // scale, warm=False),
        ],
        "batch": [
            Workload(part, f"{SHAPE}-q4_k_m", most, 0, 64 // scale, sequences=n, warm=False) for n in (1, 8)
        ],
        "serve": [Workload(part, SMALL[0], most, 512 // scale, 128 // scale, sequences=n) for n in CLIENTS],
        "start": [Workload(part, model, most) for model in (*SMALL, f"{SHAPE}-q4_k_m")],
    }
    return found[part]


def model_file(model: str, quick: bool) -> Path:
    """The file of a model, fetched or written where it is not there yet."""
    if model in SMALL:
        return resolve(model).path
    if model == SLICE:
        return random_model("q4_k_m", n_layer=2, n_ctx=32768)
    return random_model(model.removeprefix(f"{SHAPE}-"), n_layer=2 if quick else 32)
