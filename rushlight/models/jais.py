"""Jais, the first generation: 590M to 30B.

Beside a llama block (see `rushlight.models.llama`):

- ALiBi (`rushlight.models.alibi`) in place of RoPE, with the largest bias of ``attention.max_alibi_bias``.
- Layer norms with biases; every linear layer has a bias, except the output head.
- ``attn_qkv`` holds queries, keys and values one below the other. Scores are scaled by 1 / D.

Source: Sengupta et al. 2023, "Jais and Jais-chat"; ``jais.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.alibi import slopes_of
from rushlight.models.config import read_config
from rushlight.models.layers import LayerNorm
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the jais architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        max_bias = accounts.get_float("attention.max_alibi_bias", 0.0, min=0.0)
        config = read_config(
            accounts, "jais", norm_eps="attention.layer_norm_epsilon", max_alibi_bias=max_bias
        )
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, norm=LayerNorm)
        self.slopes = slopes_of(weights, config.n_head, max_bias)
        self.attention_scale = 1 / config.n_embd_head_k
