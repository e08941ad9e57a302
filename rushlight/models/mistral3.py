"""Mistral Small 3.1 and later, Ministral 3, and other Mistral models in llama.cpp's mistral3 format.

A llama block (see `rushlight.models.llama`): interleaved RoPE, heads wider than n_embd / n_head. Ministral 3
adds:

- YaRN without its temperature: ``rope.scaling.yarn_log_multiplier`` 1 takes it back (``mscale_all_dim`` in
  transformers).
- Queries grow with their position p, after RoPE, by
  ``1 + attention.temperature_scale * ln(1 + floor(p / rope.scaling.original_context_length))``, so that
  attention stays sharp beyond the original context (Llama 4's temperature tuning). The table of angles for
  queries has it in it.

With ``expert_count`` feed-forward networks are mixtures as wide as ``feed_forward_length``: softmax over all
experts, the weights of the chosen divided by their sum.

Source: Mistral AI 2025, "Ministral 3"; ``mistral3.cpp`` in llama.cpp's ``src/models``;
``modeling_ministral3.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import read_experts
from rushlight.models.experts import ffn_of
from rushlight.models.layers import RmsNorm
from rushlight.models.llama_block import LlamaBlock
from rushlight.models.rope import grow_with_position
from rushlight.models.weights import Weights


class Model(Decoder):
    """A model of the mistral3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        temperature_scale = accounts.get_float("attention.temperature_scale", 0.0)
        has_experts = accounts.get_int("expert_count", 0, min=0) > 0
        config, weights = read_config(accounts, "mistral3", experts=has_experts), Weights(accounts, backend)
        experts = read_experts(accounts, config.n_layer, config.n_ff) if has_experts else None
        if config.n_rot != config.n_embd_head_k:
            raise UnsupportedModel(
                "mistral3.rope.dimension_count is less than a head, which mistral3 never has."
            )
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.k_rope = self.rope_table(interleaved=True, factors=weights.rope_factors(config))
        self.q_rope: RopeTable = self.k_rope
        if temperature_scale:
            self.q_rope = grow_with_position(self.k_rope, temperature_scale, config.rope_scaling.n_ctx_orig)
        self.blocks = [
            LlamaBlock(weights, config, f"blk.{i}", ffn=ffn_of(weights, config, experts, i))
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        config = self.config
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            q, k, v = block.attn_qkv(ops, block.attn_norm(ops, x))
            q = ops.rope(q, self.q_rope, config.n_head)
            k = ops.rope(k, self.k_rope, config.n_head_kv)
            attended = self.attend(ops, (q, k, v), i, rope=None)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
