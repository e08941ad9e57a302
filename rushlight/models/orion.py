"""Orion 14B.

A llama block (see `rushlight.models.llama`), with two differences:

- Layer norms with biases in place of RMS norms.
- RoPE turns halves of a head (NeoX).

Source: OrionStar 2024, "Orion-14B"; ``orion.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.layers import LayerNorm
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the orion architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "orion", norm_eps="attention.layer_norm_epsilon")
        super().__init__(config, Weights(accounts, backend), n_ctx, norm=LayerNorm)
        self.rope = self.rope_table(interleaved=False)
