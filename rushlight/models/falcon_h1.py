"""Falcon-H1: 0.5B to 34B.

A llama block (see `rushlight.models.llama`), with these differences:

- Attention and a Mamba-2 layer (see `rushlight.models.ssm`) read the same norm side by side, and both are
  added to the residual. The Mamba-2 layer of most models has no norm.
- RoPE turns halves of a head (NeoX).
- The norm in front of the feed-forward network is called ``ffn_norm``, without ``.weight``.

The model's multipliers are in the weights of its files.

Source: Zuo et al. 2025, "Falcon-H1: A Family of Hybrid-Head Language Models"; ``falcon-h1.cpp`` in
llama.cpp's ``src/models``; ``modeling_falcon_h1.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.ssm import Mamba2, SsmSizes, read_ssm
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, sizes: SsmSizes, name: str) -> None:
        n_embd = config.n_embd
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn_norm = weights.vector(f"{name}.ffn_norm", n_embd)
        self.ffn = SwiGLU(weights, config, name)
        self.mixer = Mamba2(weights, config, sizes, name)
        self.ssm_out = weights.linear(f"{name}.ssm_out", n_embd, sizes.n_inner)


class Model(Decoder):
    """A model of the falcon-h1 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, sizes = read_config(accounts, "falcon-h1"), read_ssm(accounts)
        weights = Weights(accounts, backend)
        # Layer i keeps keys and values at 2i and a state at 2i + 1.
        super().__init__(config, weights, n_ctx, [0, sizes.cache] * config.n_layer)
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [Block(weights, config, sizes, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            attended = self.attend(ops, block.attn_qkv(ops, normed), 2 * i, self.rope)
            mixed = block.mixer(ops, normed, 2 * i + 1)
            if block is self.blocks[-1]:
                x, attended, mixed = ops.outputs(x), ops.outputs(attended), ops.outputs(mixed)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ssm_out(ops, mixed))
            x = ops.add(x, block.ffn(ops, ops.rms_norm(x, block.ffn_norm, self.config.norm_eps)))
        return self.output(ops, self.output_norm(ops, x))
