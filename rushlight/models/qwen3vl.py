"""Qwen3-VL, the dense language models: text only.

A qwen3 block (see `rushlight.models.qwen3`): a llama block with an RMS norm of each query head and each key
head before RoPE, which turns halves of a head (NeoX). Of images alone speak:

- ``rope.dimension_sections``, which pairs turn by an image's row and column; in text these are the token's
  position, and all pairs turn alike;
- ``n_deepstack_layers``, how many layers add features of an image to the residual.

Files for embeddings and rerankers are as those of qwen3.

Source: Qwen Team 2025, "Qwen3-VL Technical Report"; ``qwen3vl.cpp`` in llama.cpp's ``src/models``;
``modeling_qwen3_vl.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.llama_block import NormedHeadsBlock
from rushlight.models.weights import Weights


class Model(Decoder):
    """A model of the qwen3vl architecture."""

    softmax_scores = True

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        accounts.ignore("rope.dimension_sections", "they tell pairs apart in images only")
        accounts.ignore("n_deepstack_layers", "they add features of images, which text has not")
        config = read_config(accounts, "qwen3vl", pools=True, ranks=True)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [NormedHeadsBlock(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step, hidden states [R, E] to embed, or what a reranker's head gives."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            q, k, v = block.attn_qkv(ops, block.attn_norm(ops, x))
            qkv = block.attn_q_norm(ops, q), block.attn_k_norm(ops, k), v
            attended = self.attend(ops, qkv, i, self.rope)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
