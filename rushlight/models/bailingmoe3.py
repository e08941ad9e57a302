"""Ling 3.0: tiny and flash.

The layers are an RMS norm and a mixer, an RMS norm and a feed-forward network, as in a llama block (see
`rushlight.models.llama`).

- A layer whose entry of ``attention.head_count_kv`` is 0 has Kimi delta attention (see
  `rushlight.models.kda`), whose decays are bounded (``kda.gate_lower_bound``) and whose matrices are whole
  ones (``ssm_f_a``, ``ssm_g_a``).
- The others have multi-head latent attention with the short vectors in the cache (see
  `rushlight.models.latent_attention`), queries by way of ``attention.q_lora_rank`` columns where the file has
  that. RoPE turns interleaved pairs, or halves (NeoX) where ``rope.dimension_sections`` says which pairs an
  image's row and column turn; in text these are the token's position, too. What a head attends to is
  multiplied by the sigmoid of its row of ``attn_gate``'s product with the layer's input.
- All layers but the first ``leading_dense_block_count`` are mixtures of experts: sigmoid or softmax
  (``expert_gating_func``), a bias that takes part in the choice alone (``exp_probs_b``), a choice of groups
  first, weights divided by their sum (``expert_weights_norm``) and multiplied (``expert_weights_scale``), and
  a shared expert, ``expert_shared_feed_forward_length`` wide.
- Where a layer's ``swiglu_clamp_exp`` (experts) or ``swiglu_clamp_shexp`` (the other networks) is not 0,
  neither SiLU of the gate nor up goes beyond it.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

Source: inclusionAI 2026, Ling 3.0; ``bailingmoe3.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config, read_config, read_heads
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_deepseek_experts
from rushlight.models.experts import ExpertsAndShared, SharedExpert
from rushlight.models.kda import Bound, KdaSizes, KimiDeltaAttention, read_kda
from rushlight.models.latent_attention import LatentAttention, LatentSizes, keeping_latent, read_absorbed
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.linear import Linear
from rushlight.models.step35 import ClampedExperts, ClampedSwiGLU, read_limits
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer; `n_head_kv` is 0 where it has Kimi delta attention."""

    def __init__(
        self,
        weights: Weights,
        config: Config,
        sizes: tuple[KdaSizes, Bound, LatentSizes],
        n_head_kv: int,
        name: str,
        ffn: Part,
    ) -> None:
        n_embd, (kda, bound, latent) = config.n_embd, sizes
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.mixer: KimiDeltaAttention | LatentAttention
        self.gate: Linear | None = None
        if n_head_kv:
            self.mixer = LatentAttention(weights, config, latent, name)
            self.gate = weights.linear(f"{name}.attn_gate", config.n_head, n_embd)
            n_mixed = latent.n_head * latent.n_value
        else:
            self.mixer = KimiDeltaAttention(weights, config, kda, name, bound)
            n_mixed = kda.n_inner
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, n_mixed)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, config.norm_eps)
        self.ffn = ffn


class Model(Decoder):
    """A model of the bailingmoe3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next, heads = accounts.get_int("nextn_predict_layers", 0, min=0, max=64), read_heads(accounts)
        config = read_config(
            accounts, "bailingmoe3", n_head_kv=max(heads), experts=True, n_layer_nextn=n_next
        )
        config, n_layer = keeping_latent(accounts, config), config.n_layer
        sections = accounts.get_int_or_array("rope.dimension_sections", 4, (0,), min=0)
        experts = _read_experts(accounts, n_layer + n_next)
        limits = [read_limits(accounts, f"swiglu_clamp_{of}", n_layer + n_next) for of in ("exp", "shexp")]
        sizes = read_kda(accounts, config), _read_bound(accounts), read_absorbed(accounts, config)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0 if n else sizes[0].cache for n in heads[:n_layer]])
        self.rope = self.rope_table(interleaved=not all(sections[:2]))
        self.attention_scale = 1 / math.sqrt(sizes[2].n_key)

        def ffn(i: int) -> Part:
            name, expert_limit, limit = f"blk.{i}", *(own[i] for own in limits)
            if i < experts.n_layer_dense_lead:
                return ClampedSwiGLU(SwiGLU(weights, config, name), limit)
            shared = SharedExpert(weights, config.n_embd, experts.n_ff_shared, name)
            chosen = ClampedExperts(weights, config, experts, name, expert_limit)
            return ExpertsAndShared(chosen, ClampedSwiGLU(shared, limit))

        self.blocks = [
            Block(weights, config, sizes, n, f"blk.{i}", ffn(i)) for i, n in enumerate(heads[:n_layer])
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            if isinstance(block.mixer, LatentAttention):
                mixed = block.mixer(ops, normed, i, self.rope, self.attention_scale)
            else:
                mixed = block.mixer(ops, normed, i)
            if block.gate is not None:
                mixed = ops.scale_rows(mixed, ops.sigmoid(block.gate(ops, normed)))
            if block is self.blocks[-1]:
                x, mixed = ops.outputs(x), ops.outputs(mixed)
            x = ops.add(x, block.attn_output(ops, mixed))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))


def _read_bound(accounts: Accounting) -> Bound:
    accounts.expect("kda.safe_gate", True, "decays without a bound are not implemented here")
    least = accounts.get_float("kda.gate_lower_bound")
    if least >= 0:
        raise InvalidFile(f"Metadata kda.gate_lower_bound is {least}; expected a negative number.")
    return Bound(least, sign=1.0)


def _read_experts(accounts: Accounting, n_layer: int) -> ExpertConfig:
    experts = read_deepseek_experts(accounts, n_layer, "sigmoid")
    n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0, max=1 << 24)
    return experts._replace(n_ff_shared=n_ff_shared or experts.n_ff_shared or experts.n_ff)
