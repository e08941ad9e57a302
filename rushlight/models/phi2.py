"""Phi-1, Phi-1.5 and Phi-2.

Beside a llama block (see `rushlight.models.llama`):

- Attention and the feed-forward network run side by side on the same norm:
  ``x + attention(norm(x)) + ffn(norm(x))``.
- Layer norms with biases; every linear layer has a bias, the output head too.
- The feed-forward network is ``down(gelu(up(x)))``, without a gate.
- RoPE turns halves (NeoX) of the first ``rope.dimension_count`` columns of a head.
- The embedding and the output head are never tied.

Source: Li et al. 2023, "Textbooks Are All You Need II: phi-1.5"; ``phi2.cpp`` in llama.cpp's ``src/models``;
``modeling_phi.py`` in transformers.
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
        self.attn_norm_bias = weights.vector(f"{name}.attn_norm.bias", n_embd)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn_up = weights.linear(f"{name}.ffn_up", n_ff, n_embd)
        self.ffn_down = weights.linear(f"{name}.ffn_down", n_embd, n_ff)


class Model(Decoder):
    """A model of the phi2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "phi2", norm_eps="attention.layer_norm_epsilon")
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = weights.vector("output_norm.weight", config.n_embd)
        self.output_norm_bias = weights.vector("output_norm.bias", config.n_embd)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        config, eps = self.config, self.config.norm_eps
        scale = 1 / math.sqrt(config.n_embd_head_k)
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = ops.layer_norm(x, block.attn_norm, block.attn_norm_bias, eps)
            q, k, v = block.attn_qkv(ops, normed)
            q = ops.rope(q, self.rope, config.n_head)
            k = ops.rope(k, self.rope, config.n_head_kv)
            attended = ops.attention(q, k, v, i, scale)
            if block is self.blocks[-1]:
                x, normed, attended = ops.outputs(x), ops.outputs(normed), ops.outputs(attended)
            ffn = block.ffn_down(ops, ops.gelu(block.ffn_up(ops, normed)))
            x = ops.add(ops.add(block.attn_output(ops, attended), ffn), x)
        return self.output(ops, ops.layer_norm(x, self.output_norm, self.output_norm_bias, eps))
