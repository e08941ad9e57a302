"""Granite with sliding windows, dense and with experts.

A granite block (see `rushlight.models.granite`) with its four multipliers, and with these differences:

- ``attention.sliding_window_pattern`` tells layers that see only ``attention.sliding_window`` positions from
  those that see all; ``attention.rope_pattern`` layers that turn RoPE from those that know no positions.
- Every head has a sink, a score without a value (``attn_sinks``).
- With ``expert_count`` feed-forward networks are mixtures as wide as ``feed_forward_length``: softmax over
  all experts, the weights of the chosen divided by their sum. Beside them a shared expert,
  ``expert_shared_feed_forward_length`` wide, whose ``ffn_up_shexp`` holds gate, then up.

Source: IBM 2026; ``granite-swa.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config, read_config, read_window_layers
from rushlight.models.expert_config import ExpertConfig, read_experts
from rushlight.models.experts import ExpertsAndShared, SwiGLUExperts
from rushlight.models.granite import ScaledLayers, read_multipliers
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.linear import Joined
from rushlight.models.llama_block import LlamaBlock
from rushlight.models.weights import Weights


class FusedSharedExpert(SwiGLU):
    """``ffn_up_shexp``, which holds gate, then up, and ``ffn_down_shexp``."""

    def __init__(self, weights: Weights, n_embd: int, n_ff: int, name: str) -> None:
        both = weights.linear(f"{name}.ffn_up_shexp", 2 * n_ff, n_embd)
        self._gate_up = Joined((both,), (n_ff, n_ff))
        self._down = weights.linear(f"{name}.ffn_down_shexp", n_embd, n_ff)


class Model(ScaledLayers):
    """A model of the granite_swa architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        self.multipliers = read_multipliers(accounts)
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        has_experts = accounts.get_int("expert_count", 0, min=0) > 0
        config = read_config(accounts, "granite_swa", n_swa=n_swa, experts=has_experts)
        n_layer = config.n_layer
        accounts.ignore("deepstack_mapping", "it says where features of images are added, which text has not")
        is_local = read_window_layers(accounts, n_layer, period=1)
        n_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0, max=1 << 24)
        experts = None
        if has_experts:
            experts = read_experts(accounts, n_layer, config.n_ff)._replace(n_ff_shared=n_shared)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in is_local])
        rope = self.rope_table(interleaved=True, factors=weights.rope_factors(config))
        turning = accounts.get_bools("attention.rope_pattern", n_layer, (True,) * n_layer)
        self.ropes = [rope if turns else None for turns in turning]
        names = [f"blk.{i}" for i in range(n_layer)]
        self.blocks = [
            LlamaBlock(weights, config, name, ffn=_ffn(weights, config, experts, name)) for name in names
        ]
        self.sinks = [weights.vector(f"{name}.attn_sinks.weight", config.n_head) for name in names]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)


def _ffn(weights: Weights, config: Config, experts: ExpertConfig | None, name: str) -> Part:
    if experts is None:
        return SwiGLU(weights, config, name)
    chosen = SwiGLUExperts(weights, config, experts, name)
    if not experts.n_ff_shared:
        return chosen
    return ExpertsAndShared(chosen, FusedSharedExpert(weights, config.n_embd, experts.n_ff_shared, name))
