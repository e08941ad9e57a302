"""PLM 1.8B.

A llama block (see `rushlight.models.llama`), with these differences:

- Multi-head latent attention whose keys and values are made for each head (see
  `rushlight.models.latent_attention`), with queries straight from the input (``attn_q``). RoPE turns the last
  ``rope.dimension_count`` of the ``attention.key_length`` columns of a head, interleaved.
- The feed-forward network is ``down(max(up(x), 0)^2)``, without a gate.

Source: Deng et al. 2025, "PLM: Efficient Peripheral Language Models Hardware-Co-Designed for Ubiquitous
Computing"; ``plm.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.latent_attention import LatentAttention, LatentSizes
from rushlight.models.layers import ReluSquaredFFN, RmsNorm
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, sizes: LatentSizes, name: str) -> None:
        n_embd, eps = config.n_embd, config.norm_eps
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.attention = LatentAttention(weights, config, sizes, name)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, sizes.n_head * sizes.n_value)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        self.ffn = ReluSquaredFFN(weights, config, name)


class Model(Decoder):
    """A model of the plm architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "plm"), Weights(accounts, backend)
        sizes = _read_sizes(accounts, config)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=True)
        self.attention_scale = 1 / math.sqrt(sizes.n_key)
        self.blocks = [Block(weights, config, sizes, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            attended = block.attention(ops, block.attn_norm(ops, x), i, self.rope, self.attention_scale)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))


def _read_sizes(accounts: Accounting, config: Config) -> LatentSizes:
    if config.n_head_kv != config.n_head:
        raise InvalidFile(f"{config.n_head} latent heads have {config.n_head_kv} heads of keys and values.")
    if config.n_embd_head_k <= config.n_rot:
        raise InvalidFile(
            f"Keys of {config.n_embd_head_k} columns have none beside the {config.n_rot} that RoPE turns."
        )
    return LatentSizes(
        n_head=config.n_head,
        n_nope=config.n_embd_head_k - config.n_rot,
        n_rot=config.n_rot,
        n_value=config.n_embd_head_v,
        n_lora_q=0,
        n_lora_kv=accounts.get_int("attention.kv_lora_rank", min=1, max=1 << 24),
        absorbed=False,
    )
