"""Command R, Command R+, Aya 23.

Beside a llama block (see `rushlight.models.llama`):

- Attention and the feed-forward network run side by side on the same norm:
  ``x + attention(norm(x)) + ffn(norm(x))``. It is a layer norm without bias.
- Command R+ has a layer norm for each query head and each key head, with weights of its own and no bias,
  before RoPE, which turns interleaved pairs.
- The output head is the embedding; logits are multiplied by ``logit_scale``.

Source: Cohere 2024, Command R; ``command-r.cpp`` in llama.cpp's ``src/models``; ``modeling_cohere.py`` in
transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import HeadLayerNorm, LayerNorm, SwiGLU
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, head_dim, eps = config.n_embd, config.n_embd_head_k, config.norm_eps
        self.attn_norm = LayerNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_q_norm = HeadLayerNorm(weights, f"{name}.attn_q_norm", config.n_head, head_dim, eps)
        self.attn_k_norm = HeadLayerNorm(weights, f"{name}.attn_k_norm", config.n_head_kv, head_dim, eps)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn = SwiGLU(weights, config, name)


class Model(Decoder):
    """A model of the command-r architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        self.logit_scale = accounts.get_float("logit_scale", 0.0) or 1.0  # 0 stands for none
        config = read_config(accounts, "command-r", norm_eps="attention.layer_norm_epsilon")
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=True)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            q, k, v = block.attn_qkv(ops, normed)
            attended = self.attend(
                ops, (block.attn_q_norm(ops, q), block.attn_k_norm(ops, k), v), i, self.rope
            )
            if block is self.blocks[-1]:
                x, normed, attended = ops.outputs(x), ops.outputs(normed), ops.outputs(attended)
            x = ops.add(x, block.ffn(ops, normed))
            x = ops.add(x, block.attn_output(ops, attended))
        return ops.scale(self.output(ops, self.output_norm(ops, x)), self.logit_scale)
