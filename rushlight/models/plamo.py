"""PLaMo 13B, the first generation.

Beside a llama block (see `rushlight.models.llama`):

- Attention and the feed-forward network run side by side on the same norm: ``x + attention(norm(x)) +
  ffn(norm(x))``.
- RoPE turns halves of a head (NeoX).

Source: Preferred Networks 2023, "PLaMo-13B"; ``plamo.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd = config.n_embd
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn = SwiGLU(weights, config, name)


class Model(Decoder):
    """A model of the plamo architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "plamo"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            attended = self.attend(ops, block.attn_qkv(ops, normed), i, self.rope)
            if block is self.blocks[-1]:
                x, normed, attended = ops.outputs(x), ops.outputs(normed), ops.outputs(attended)
            x = ops.add(x, block.ffn(ops, normed))
            x = ops.add(x, block.attn_output(ops, attended))
        return self.output(ops, self.output_norm(ops, x))
