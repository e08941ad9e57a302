"""BitNet b1.58: the 3B reproduction and others of its format.

A llama block (see `rushlight.models.llama`), with these differences:

- An RMS norm in front of each output matrix: ``attn_sub_norm`` on what is attended, ``ffn_sub_norm`` on the
  gated columns of the feed-forward network.
- What a matrix gives may be multiplied by one number, a tensor such as ``attn_q.scale``, as ternary weights
  need (see `rushlight.models.scales`).
- RoPE turns halves of a head (NeoX). The output head is the embedding.

Source: Ma et al. 2024, "The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits"; ``bitnet.cpp``
in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, n_ff, eps = config.n_embd, config.n_ff, config.norm_eps
        n_attended = config.n_head * config.n_embd_head_v
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_sub_norm = RmsNorm(weights, f"{name}.attn_sub_norm", n_attended, eps)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, n_attended)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        self.ffn_gate_up = weights.joined((f"{name}.ffn_gate", f"{name}.ffn_up"), (n_ff, n_ff), n_embd)
        self.ffn_sub_norm = RmsNorm(weights, f"{name}.ffn_sub_norm", n_ff, eps)
        self.ffn_down = weights.linear(f"{name}.ffn_down", n_embd, n_ff)

    def ffn(self, ops: Ops, x: Tensor) -> Tensor:
        """The output of the feed-forward network."""
        gate, up = self.ffn_gate_up(ops, x)
        return self.ffn_down(ops, self.ffn_sub_norm(ops, ops.silu_mul(gate, up)))


class Model(Decoder):
    """A model of the bitnet architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "bitnet"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            attended = self.attend(ops, block.attn_qkv(ops, block.attn_norm(ops, x)), i, self.rope)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, block.attn_sub_norm(ops, attended)))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
