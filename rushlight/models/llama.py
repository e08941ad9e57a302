"""Llama 1 to 3, Mistral, SmolLM2, TinyLlama, Yi and the many others that share the block.

The block: RMS norm, attention with grouped key-value heads and RoPE, RMS norm, SwiGLU. Of its own:

- GGUF files of this architecture have the rows of ``attn_q`` and ``attn_k`` permuted, so that RoPE turns
  neighbouring columns (interleaved pairs) and not halves.
- Llama 3.1 and later divide the RoPE frequencies by ``rope_freqs.weight``; files with
  ``rope.scaling.type`` longrope have two sets and choose by the context.
- Any linear layer may have a bias. Without ``output.weight`` the embedding is the output head.
- Mixtral has experts in place of the feed-forward network: of ``expert_count`` each token uses
  ``expert_used_count``, by softmax over all of them, and the weights of those are divided by their sum.
- A file with a ``pooling_type`` makes embeddings and has no logits (see `rushlight.models.pooling`).

Source: Touvron et al. 2023, "LLaMA"; Jiang et al. 2024, "Mixtral of Experts"; ``llama.cpp`` in llama.cpp's
``src/models``; ``modeling_llama.py`` and ``modeling_mixtral.py`` in transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_experts
from rushlight.models.experts import ffn_of
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, experts: ExpertConfig | None, layer: int) -> None:
        name, n_embd = f"blk.{layer}", config.n_embd
        self.attn_norm = weights.vector(f"{name}.attn_norm.weight", n_embd)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn_norm = weights.vector(f"{name}.ffn_norm.weight", n_embd)
        self.ffn = ffn_of(weights, config, experts, layer)


class Model(Decoder):
    """A model of the llama architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        has_experts = accounts.get_int("expert_count", 0, min=0) > 0
        config = read_config(accounts, "llama", experts=has_experts, pools=True)
        if config.n_rot != config.n_embd_head_k:
            raise UnsupportedModel("llama.rope.dimension_count is less than a head, which llama never has.")
        experts = read_experts(accounts, config.n_layer, config.n_ff) if has_experts else None
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        if config.rope_scaling.type == "longrope":
            factors = weights.longrope_factors(config.n_rot, optional=False)
        else:
            factors = weights.rope_freqs(config.n_rot)
        self.rope = self.rope_table(interleaved=True, factors=factors)
        self.blocks = [Block(weights, config, experts, i) for i in range(config.n_layer)]
        self.output_norm = weights.vector("output_norm.weight", config.n_embd)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step, or the hidden states [R, E] of a model for embeddings."""
        config, eps = self.config, self.config.norm_eps
        scale = 1 / math.sqrt(config.n_embd_head_k)
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            q, k, v = block.attn_qkv(ops, ops.rms_norm(x, block.attn_norm, eps))
            q = ops.rope(q, self.rope, config.n_head)
            k = ops.rope(k, self.rope, config.n_head_kv)
            attended = ops.attention(q, k, v, i, scale)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, ops.rms_norm(x, block.ffn_norm, eps)))
        return self.output(ops, ops.rms_norm(x, self.output_norm, eps))
