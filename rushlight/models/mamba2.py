"""Mamba-2: Mamba-2 130M to 2.7B, Mamba-Codestral.

No attention and no feed-forward networks: each layer is an RMS norm and a state-space layer (see
`rushlight.models.ssm`) with ``ssm_out`` behind it. What it keeps of a sequence does not grow.

Source: Dao and Gu 2024, "Transformers are SSMs"; ``mamba2.cpp`` in llama.cpp's ``src/models``;
``modeling_mamba2.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.attention_free import AttentionFree, Block, read_attention_free
from rushlight.models.layers import RmsNorm
from rushlight.models.ssm import Mamba2, read_ssm
from rushlight.models.weights import Weights


class Model(AttentionFree):
    """A model of the mamba2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, sizes = read_attention_free(accounts, "mamba2"), read_ssm(accounts)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, sizes.cache)

        def block(name: str) -> Block:
            return Block(
                RmsNorm(weights, f"{name}.attn_norm", config.n_embd, config.norm_eps),
                Mamba2(weights, config, sizes, name),
                weights.linear(f"{name}.ssm_out", config.n_embd, sizes.n_inner),
            )

        self.blocks = [block(f"blk.{i}") for i in range(config.n_layer)]
