"""gpt-oss, 20B and 120B.

Beside a llama block (see `rushlight.models.llama`):

- Every linear layer has a bias, those of the experts and of the router too.
- A head has a sink (``attn_sinks``): one more score in its softmax, which takes a share and has no value.
- Of every two layers the first sees only ``attention.sliding_window`` positions. RoPE turns halves (NeoX),
  with YaRN, in both; ``rope.freq_base_swa`` gives windowed layers a base of their own. Between which pairs
  YaRN blends is not rounded to whole pairs (``truncate`` in the model's configuration, which no key tells);
  llama.cpp rounds it.
- Experts (``ffn_*_exps``) in place of the feed-forward network. The ``expert_used_count`` highest logits are
  chosen, and softmax over these alone gives the weights. The gate is clamped:
  ``g sigmoid(1.702 g) (u + 1)``, with g at most 7 and u within -7 and 7.
- The norm in front of the experts is called ``post_attention_norm``.

Source: OpenAI 2025, "gpt-oss-120b & gpt-oss-20b Model Card"; ``openai-moe.cpp`` in llama.cpp's
``src/models``; ``modeling_gpt_oss.py`` in transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import block_of
from rushlight.models.config import read_config, read_window_freq_base, read_window_layers
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import read_expert_ff, read_experts
from rushlight.models.experts import ClampedSwiGLUExperts
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Model(Decoder):
    """A model of the gpt-oss architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", min=0)
        config = read_config(accounts, "gpt-oss", n_swa=n_swa, experts=True)
        config = config._replace(rope_scaling=config.rope_scaling._replace(truncate=False))
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        n_ff = read_expert_ff(accounts, config.n_layer)
        experts = read_experts(accounts, config.n_layer, n_ff, gating="softmax_selected", normalize=False)
        weights = Weights(accounts, backend)
        self.is_local = [n_swa > 0 and local for local in read_window_layers(accounts, config.n_layer, 2)]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.global_rope = self.rope_table(interleaved=False)
        self.local_rope = self.rope_table(interleaved=False, freq_base=local_base)
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.sinks = [weights.vector(f"{name}.attn_sinks.weight", config.n_head) for name in names]
        self.blocks = [
            block_of(
                weights,
                config,
                name,
                ClampedSwiGLUExperts(weights, config, experts, name),
                ffn_norm="post_attention_norm",
            )
            for name in names
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        config, scale = self.config, 1 / math.sqrt(self.config.n_embd_head_k)
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            rope = self.local_rope if self.is_local[i] else self.global_rope
            q, k, v = block.attn_qkv(ops, block.attn_norm(ops, x))
            q, k = ops.rope(q, rope, config.n_head), ops.rope(k, rope, config.n_head_kv)
            attended = ops.attention(q, k, v, i, scale, sinks=self.sinks[i])
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
