"""Jais 2: 8B and 70B.

Beside a llama block (see `rushlight.models.llama`):

- Layer norms with biases; every linear layer has a bias, except the output head.
- The feed-forward network is ``down(max(up(x), 0)^2)``, without a gate.
- RoPE turns halves of a head (NeoX).

Source: Inception 2025, "Jais 2"; ``jais2.cpp`` in llama.cpp's ``src/models``; ``modeling_jais2.py`` in
transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.layers import LayerNorm, ReluSquaredFFN
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the jais2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "jais2", norm_eps="attention.layer_norm_epsilon")
        super().__init__(config, Weights(accounts, backend), n_ctx, ffn=ReluSquaredFFN, norm=LayerNorm)
        self.rope = self.rope_table(interleaved=False)
