"""Nemotron 3 and 4, Minitron.

Beside a llama block (see `rushlight.models.llama`):

- Layer norms with biases, scaled by 1 + weight; GGUF files hold the sum.
- The feed-forward network is ``down(max(up(x), 0)^2)``, without a gate.
- RoPE turns halves (NeoX) of the first ``rope.dimension_count`` columns of a head.

Source: NVIDIA 2024, "Nemotron-4 340B Technical Report"; ``nemotron.cpp`` in llama.cpp's ``src/models``;
``modeling_nemotron.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.layers import LayerNorm, ReluSquaredFFN
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the nemotron architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "nemotron", norm_eps="attention.layer_norm_epsilon")
        super().__init__(config, Weights(accounts, backend), n_ctx, ffn=ReluSquaredFFN, norm=LayerNorm)
        self.rope = self.rope_table(interleaved=False)
