"""A prompt, a layout, and a listener that notes what it hears."""

from __future__ import annotations

import numpy as np
from fake_executor import (
    N_VOCAB,
    assert_all_blocks_are_back,
    layout_of,
)

from rushlight.engine.engine import Engine
from rushlight.engine.sequence import Sequence
from rushlight.sampling import Sampled

FULL = layout_of(0, 0)
PROMPT = np.random.default_rng(0).integers(0, N_VOCAB - 1, 700).tolist()


class Listener:
    """Notes what it hears; ends the sequence after some tokens, or raises."""

    def __init__(self, engine: Engine, n: int = 10**9, error: Exception | None = None) -> None:
        self.engine, self.n, self.error = engine, n, error
        self.heard: list[int] = []
        self.ended: list[Sequence] = []

    def token(self, sampled: Sampled) -> bool:
        if self.error is not None:
            raise self.error
        self.heard.append(sampled.token_id)
        return len(self.heard) == self.n

    def finished(self, sequence: Sequence) -> None:
        self.ended.append(sequence)
        assert_all_blocks_are_back(self.engine)
