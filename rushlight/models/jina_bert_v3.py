"""Jina Embeddings 3, without its adapters.

A BERT (see `rushlight.models.bert`) in which RoPE turns halves of a head (NeoX) in place of the embeddings of
positions.

Source: Sturua et al. 2024, "jina-embeddings-v3"; ``jina-bert-v3.cpp`` and ``bert.cpp`` in llama.cpp's
``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.bert_block import BertBlock, BertBlocks
from rushlight.models.config import read_config
from rushlight.models.layers import GeluFFN
from rushlight.models.weights import Weights


class Model(BertBlocks):
    """A model of the jina-bert-v3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(
            accounts, "jina-bert-v3", norm_eps="attention.layer_norm_epsilon", pools=True, causal=False
        )
        weights = Weights(accounts, backend)

        def block(layer: int) -> BertBlock:
            name = f"blk.{layer}"
            return BertBlock(weights, config, name, GeluFFN(weights, config, name))

        super().__init__(config, weights, n_ctx, block)
        self.rope = self.rope_table(interleaved=False)
