"""Falcon 7B and 40B, of the first generation; Falcon 2 11B.

Beside a llama block (see `rushlight.models.llama`):

- Attention and the feed-forward network run side by side: ``x + attention(norm(x)) + ffn(norm(x))``. The 40B
  model has a norm of its own for attention, ``attn_norm_2``. They are layer norms with biases.
- ``attn_qkv`` holds queries, keys and values one below the other; linear layers have no bias.
- The feed-forward network is ``down(gelu(up(x)))``, without a gate.
- RoPE turns halves of a head (NeoX).

Source: Almazrouei et al. 2023, "The Falcon Series of Open Language Models"; ``falcon.cpp`` in llama.cpp's
``src/models``; ``modeling_falcon.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import GeluFFN, LayerNorm
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, eps = config.n_embd, config.norm_eps
        self.attn_norm = LayerNorm(weights, f"{name}.attn_norm", n_embd, eps)
        has_second = weights.has(f"{name}.attn_norm_2.weight")
        self.attn_norm_2 = LayerNorm(weights, f"{name}.attn_norm_2", n_embd, eps) if has_second else None
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn = GeluFFN(weights, config, name)


class Model(Decoder):
    """A model of the falcon architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "falcon", norm_eps="attention.layer_norm_epsilon")
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            first = normed if block.attn_norm_2 is None else block.attn_norm_2(ops, x)
            attended = self.attend(ops, block.attn_qkv(ops, first), i, self.rope)
            if block is self.blocks[-1]:
                x, normed, attended = ops.outputs(x), ops.outputs(normed), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, normed))
        return self.output(ops, self.output_norm(ops, x))
