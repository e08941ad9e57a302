"""DBRX.

A llama block (see `rushlight.models.llama`), with these differences:

- Layer norms without biases; the one in front of the feed-forward network is called ``attn_output_norm``.
- Queries, keys and values are clamped to ``attention.clamp_kqv`` on either side.
- RoPE turns halves of a head (NeoX).
- Experts in place of the feed-forward network: softmax over all of them, the weights of the chosen divided
  by their sum.

Source: Databricks 2024, "Introducing DBRX"; ``dbrx.cpp`` in llama.cpp's ``src/models``; ``modeling_dbrx.py``
in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Block, Blocks, block_of
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_experts
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.layers import LayerNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the dbrx architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        self.clamp = accounts.get_float("attention.clamp_kqv", min=0.0)
        epsilon = "attention.layer_norm_epsilon"
        config = read_config(accounts, "dbrx", norm_eps=epsilon, clamps=True, experts=True)
        experts, weights = read_experts(accounts, config.n_layer, config.n_ff), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False)

        def block(name: str) -> Block:
            ffn = SwiGLUExperts(weights, config, experts, name)
            return block_of(weights, config, name, ffn, norm=LayerNorm, ffn_norm="attn_output_norm")

        self.blocks = [block(f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def attend_block(self, ops: Ops, block: Block, x: Tensor, layer: int) -> Tensor:
        """The attention of a layer up to its output matrix, on what has been clamped; 0 clamps nothing."""
        qkv = block.attn_qkv(ops, x)
        if self.clamp:
            qkv = tuple(ops.clamp(part, self.clamp) for part in qkv)
        return self.attend(ops, qkv, layer, self.rope)
