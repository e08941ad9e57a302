"""Maincoder 1B.

A llama block (see `rushlight.models.llama`), whose RoPE turns interleaved pairs, with one difference: each
query head and each key head goes through an RMS norm of its own width after RoPE.

Source: Maincode 2025, Maincoder; ``maincoder.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.hunyuan_dense import TurnedThenNormed
from rushlight.models.weights import Weights


class Model(TurnedThenNormed):
    """A model of the maincoder architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "maincoder"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=True)
