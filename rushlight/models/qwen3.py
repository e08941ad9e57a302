"""Qwen 3, the dense models; Qwen3-Embedding; Qwen3-Reranker.

A llama block (see `rushlight.models.llama`), with these differences:

- Each query head and each key head goes through an RMS norm of its own width before RoPE
  (``attn_q_norm``, ``attn_k_norm``).
- The heads are wider than n_embd / n_head (``attention.key_length``).
- RoPE turns halves of a head (NeoX). Long contexts use YaRN.
- A reranker (``pooling_type`` 4) has a head of its own, ``cls.output``, over the last token: two rows of the
  head of tokens, for "yes" and "no". The score is the share of the first in their softmax.
- Qwen3-Embedding names a ``pooling_type``: what would go into the head is pooled into an embedding
  (`rushlight.models.pooling`), and there are no logits.

Source: Yang et al. 2025, "Qwen3 Technical Report"; ``qwen3.cpp`` in llama.cpp's ``src/models``;
``modeling_qwen3.py`` in transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, n_ff = config.n_embd, config.n_ff
        self.attn_norm = weights.vector(f"{name}.attn_norm.weight", n_embd)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_q_norm = weights.vector(f"{name}.attn_q_norm.weight", config.n_embd_head_k)
        self.attn_k_norm = weights.vector(f"{name}.attn_k_norm.weight", config.n_embd_head_k)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn_norm = weights.vector(f"{name}.ffn_norm.weight", n_embd)
        self.ffn_gate_up = weights.joined((f"{name}.ffn_gate", f"{name}.ffn_up"), (n_ff, n_ff), n_embd)
        self.ffn_down = weights.linear(f"{name}.ffn_down", n_embd, n_ff)


class Model(Decoder):
    """A model of the qwen3 architecture."""

    softmax_scores = True

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "qwen3", pools=True, ranks=True)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = weights.vector("output_norm.weight", config.n_embd)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step, hidden states [R, E] to embed, or what a reranker's head gives."""
        config, eps = self.config, self.config.norm_eps
        scale = 1 / math.sqrt(config.n_embd_head_k)
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            q, k, v = block.attn_qkv(ops, ops.rms_norm(x, block.attn_norm, eps))
            q = ops.rope(ops.rms_norm(q, block.attn_q_norm, eps, config.n_head), self.rope, config.n_head)
            k = ops.rope(
                ops.rms_norm(k, block.attn_k_norm, eps, config.n_head_kv), self.rope, config.n_head_kv
            )
            attended = ops.attention(q, k, v, i, scale)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            gate, up = block.ffn_gate_up(ops, ops.rms_norm(x, block.ffn_norm, eps))
            x = ops.add(x, block.ffn_down(ops, ops.silu_mul(gate, up)))
        return self.output(ops, ops.rms_norm(x, self.output_norm, eps))
