"""Nomic Embed Text 1 and 1.5, CodeRankEmbed.

A BERT (see `rushlight.models.bert`), with these differences:

- RoPE turns halves of a head (NeoX) in place of the embeddings of positions.
- The feed-forward network is SwiGLU. No linear layer has a bias.

Source: Nussbaum et al. 2024, "Nomic Embed"; ``nomic-bert.cpp`` and ``bert.cpp`` in llama.cpp's
``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.bert_block import BertBlock, BertBlocks
from rushlight.models.config import read_config
from rushlight.models.layers import SwiGLU
from rushlight.models.weights import Weights


class Model(BertBlocks):
    """A model of the nomic-bert architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(
            accounts, "nomic-bert", norm_eps="attention.layer_norm_epsilon", pools=True, causal=False
        )
        weights = Weights(accounts, backend)

        def block(layer: int) -> BertBlock:
            name = f"blk.{layer}"
            return BertBlock(weights, config, name, SwiGLU(weights, config, name))

        super().__init__(config, weights, n_ctx, block)
        self.rope = self.rope_table(interleaved=False)
