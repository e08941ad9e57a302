"""MiniCPM3 4B.

Beside a llama block (see `rushlight.models.llama`):

- Multi-head latent attention (see `rushlight.models.latent_attention`) with whole keys and values:
  ``attn_q_a``, ``attn_q_b``, ``attn_kv_a_mqa``, ``attn_kv_b``. RoPE turns halves (NeoX) of the last
  ``rope.dimension_count`` columns of a head, with LongRoPE's two sets of factors.
- The embedding is multiplied by 12, what attention and network add to the residual by 1.4 / sqrt(layers),
  and logits by 256 / n_embd: constants, which no key tells.

Source: Hu et al. 2024, "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training
Strategies"; ``minicpm3.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.latent_attention import LatentAttention, LatentSizes
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.weights import Weights

_EMBED_SCALE, _DEPTH_SCALE, _BASE_WIDTH = 12.0, 1.4, 256


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, sizes: LatentSizes, name: str) -> None:
        n_embd = config.n_embd
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.attention = LatentAttention(weights, config, sizes, name)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, sizes.n_head * sizes.n_value)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, config.norm_eps)
        self.ffn = SwiGLU(weights, config, name)


class Model(Decoder):
    """A model of the minicpm3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "minicpm3"), Weights(accounts, backend)
        n_key = config.n_embd_head_k
        if config.n_head_kv != config.n_head or n_key <= config.n_rot:
            raise InvalidFile(
                f"{config.n_head} latent heads of {n_key} columns, {config.n_rot} of which RoPE turns, have "
                f"{config.n_head_kv} heads of keys and values."
            )
        sizes = LatentSizes(
            n_head=config.n_head,
            n_nope=n_key - config.n_rot,
            n_rot=config.n_rot,
            n_value=config.n_embd_head_v,
            n_lora_q=accounts.get_int("attention.q_lora_rank", min=1),
            n_lora_kv=accounts.get_int("attention.kv_lora_rank", min=1),
            absorbed=False,
        )
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(False, weights.longrope_factors(config.n_rot, optional=True))
        self.blocks = [Block(weights, config, sizes, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        config = self.config
        scale, depth = 1 / math.sqrt(config.n_embd_head_k), _DEPTH_SCALE / math.sqrt(config.n_layer)
        x = ops.embed(self.token_embd, _EMBED_SCALE)
        for i, block in enumerate(self.blocks):
            attended = block.attention(ops, block.attn_norm(ops, x), i, self.rope, scale)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, ops.scale(block.attn_output(ops, attended), depth))
            x = ops.add(x, ops.scale(block.ffn(ops, block.ffn_norm(ops, x)), depth))
        return ops.scale(self.output(ops, self.output_norm(ops, x)), _BASE_WIDTH / config.n_embd)
