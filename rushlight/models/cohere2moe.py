"""Command models of Cohere with experts.

A cohere2 block (see `rushlight.models.cohere2`): attention and the feed-forward network side by side on one
norm, windows and RoPE in three of every four layers, logits multiplied by ``logit_scale``. With these
differences:

- The norm is a layer norm without bias, or an RMS norm in files with ``attention.layer_norm_rms_epsilon``.
- The first ``leading_dense_block_count`` layers have dense networks, and turn RoPE whether they are windowed
  or not. The others are mixtures of experts: sigmoid or softmax (``expert_gating_func``), weights divided by
  their sum (``expert_weights_norm``) and multiplied (``expert_weights_scale``).
- With ``expert_shared_count`` the output is the mean of the mixture and of a shared expert,
  ``expert_shared_feed_forward_length`` wide or as wide as so many others.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

Source: Cohere 2026; ``cohere2moe.cpp`` in llama.cpp's ``src/models``; ``modeling_cohere2_moe.py`` in
transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.cohere2 import SideBySideBlock, SideBySideLayers
from rushlight.models.config import Config, read_config, read_window_layers
from rushlight.models.expert_config import ExpertConfig, read_routed_experts
from rushlight.models.experts import ExpertsAndShared, SharedExpert, SwiGLUExperts
from rushlight.models.layers import LayerNorm, RmsNorm, SwiGLU
from rushlight.models.weights import Weights


class MeanOfExperts(ExpertsAndShared):
    """The mean of a mixture and of a shared expert."""

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        return ops.scale(super().__call__(ops, x), 0.5)


def _ffn(weights: Weights, config: Config, experts: ExpertConfig, layer: int) -> Part:
    name = f"blk.{layer}"
    if layer < experts.n_layer_dense_lead:
        return SwiGLU(weights, config, name)
    chosen = SwiGLUExperts(weights, config, experts, name)
    if not experts.n_ff_shared:
        return chosen
    return MeanOfExperts(chosen, SharedExpert(weights, config.n_embd, experts.n_ff_shared, name))


class Model(SideBySideLayers):
    """A model of the cohere2moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        self.logit_scale = accounts.get_float("logit_scale") or 1.0  # 0 stands for none
        key = "attention.layer_norm_rms_epsilon"
        norm: type[LayerNorm | RmsNorm] = RmsNorm
        if not accounts.get_float(key, 0.0):
            key, norm = "attention.layer_norm_epsilon", LayerNorm
        dense = accounts.get_int("leading_dense_block_count", min=0) > 0
        config = read_config(
            accounts, "cohere2moe", norm_eps=key, n_swa=n_swa, experts=True, dense=dense, n_layer_nextn=n_next
        )
        n_layer, n_all = config.n_layer, config.n_layer + n_next
        accounts.expect(
            "rope.freq_base_swa", config.rope_freq_base, "another base for windowed layers is not implemented"
        )
        experts = _read_experts(accounts, n_all)
        weights = Weights(accounts, backend)
        is_local = read_window_layers(accounts, n_all, period=4, first=True)[:n_layer]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in is_local])
        rope = self.rope_table(interleaved=True, factors=weights.rope_factors(config))
        self.ropes = [
            rope if local or i < experts.n_layer_dense_lead else None for i, local in enumerate(is_local)
        ]
        self.blocks = [
            SideBySideBlock(weights, config, f"blk.{i}", _ffn(weights, config, experts, i), norm)
            for i in range(n_layer)
        ]
        self.output_norm = norm(weights, "output_norm", config.n_embd, config.norm_eps)


def _read_experts(accounts: Accounting, n_layer: int) -> ExpertConfig:
    experts = read_routed_experts(accounts, n_layer, "sigmoid")
    n_shared = accounts.get_int("expert_shared_count", 0, min=0, max=1 << 16)
    n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0, max=1 << 24)
    return experts._replace(
        n_ff_shared=(n_ff_shared or n_shared * experts.n_ff) if n_shared else 0,
        n_layer_dense_lead=accounts.get_int("leading_dense_block_count", min=0),
    )
