"""Step 3.5 Flash.

A llama block (see `rushlight.models.llama`), with these differences:

- ``attention.sliding_window_pattern`` tells windowed from full layers. They differ in the number of heads,
  lists for each layer, and in RoPE, which turns halves (NeoX): windowed layers turn ``rope.dimension_count``
  columns of a head with the base ``rope.freq_base_swa``, full layers half as many, their frequencies divided
  by ``rope_freqs.weight``.
- Each query head and each key head goes through an RMS norm of its own width before RoPE.
- What a head attends to is multiplied by the sigmoid of its row of ``attn_gate``'s product with the layer's
  input.
- A layer with ``ffn_gate_inp`` is a mixture of experts: sigmoid (``expert_gating_func``), a bias that takes
  part in the choice alone (``exp_probs_b``), weights divided by their sum (``expert_weights_norm``) and
  multiplied (``expert_weights_scale``), and a shared expert, ``expert_shared_feed_forward_length`` wide.
- Where a layer's ``swiglu_clamp_exp`` (experts) or ``swiglu_clamp_shexp`` (the other networks) is not 0,
  neither SiLU of the gate nor up goes beyond it.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

Source: StepFun 2026, "Step 3.5 Flash"; ``step35.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Block, Blocks, Part, block_of
from rushlight.models.config import (
    Config,
    read_config,
    read_heads_by_layer,
    read_window_freq_base,
    read_window_layers,
)
from rushlight.models.expert_config import ExpertConfig, read_routed_experts
from rushlight.models.experts import ExpertsAndShared, SharedExpert, SwiGLUExperts
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.rope import RopeFactors, rope_table
from rushlight.models.weights import Weights

_LEAST_CLAMP = 0.5  # SiLU is never below -0.28: a clamp on either side is one above


def _clamped(ops: Ops, gate: Tensor, up: Tensor, limit: float) -> Tensor:
    if not limit:
        return ops.silu_mul(gate, up)
    return ops.multiply(ops.clamp(ops.silu(gate), limit), ops.clamp(up, limit))


class ClampedExperts(SwiGLUExperts):
    """`SwiGLUExperts` of a layer with a limit."""

    def __init__(
        self, weights: Weights, config: Config, experts: ExpertConfig, name: str, limit: float
    ) -> None:
        super().__init__(weights, config, experts, name)
        self._limit = limit

    def _gated(self, ops: Ops, gate: Tensor, up: Tensor) -> Tensor:
        return _clamped(ops, gate, up, self._limit)


class ClampedSwiGLU(SwiGLU):
    """`SwiGLU` with a limit."""

    def __init__(self, network: SwiGLU, limit: float) -> None:
        self._gate_up, self._down, self._limit = network._gate_up, network._down, limit

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        gate, up = self._gate_up(ops, x)
        return self._down(ops, _clamped(ops, gate, up, self._limit))


class Model(Blocks):
    """A model of the step35 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        heads = read_heads_by_layer(accounts)
        config = read_config(
            accounts,
            "step35",
            n_swa=n_swa,
            n_head=heads[0][0],
            n_head_kv=heads[0][1],
            experts=True,
            n_layer_nextn=n_next,
        )
        n_layer, n_all = config.n_layer, config.n_layer + n_next
        experts = _read_experts(accounts, n_all)
        self.is_local = read_window_layers(accounts, n_all, period=1)[:n_layer]
        limits = [read_limits(accounts, f"swiglu_clamp_{of}", n_all) for of in ("exp", "shexp")]
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        weights = Weights(accounts, backend)
        own = [config._replace(n_head=q, n_head_kv=kv) for q, kv in heads[:n_layer]]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local], own)
        self.local_rope = rope_table(self.n_ctx, config.n_rot, local_base, interleaved=False)
        factors, n_rot = weights.rope_freqs(config.n_rot), config.n_rot // 2
        if factors is not None:
            factors = RopeFactors(factors.short[: n_rot // 2])
        self.rope = rope_table(self.n_ctx, n_rot, config.rope_freq_base, False, config.rope_scaling, factors)

        def ffn(name: str, expert_limit: float, limit: float) -> Part:
            if not weights.has(f"{name}.ffn_gate_inp.weight"):
                return ClampedSwiGLU(SwiGLU(weights, config, name), limit)
            shared = SharedExpert(weights, config.n_embd, experts.n_ff_shared, name)
            chosen = ClampedExperts(weights, config, experts, name, expert_limit)
            return ExpertsAndShared(chosen, ClampedSwiGLU(shared, limit))

        def block(name: str, config: Config, network: Part) -> Block:
            qk_norms = config.n_embd_head_k, config.n_embd_head_k
            n_gate = config.n_head if weights.has(f"{name}.attn_gate.weight") else 0
            return block_of(weights, config, name, network, qk_norms=qk_norms, n_gate=n_gate)

        names = [f"blk.{i}" for i in range(n_layer)]
        self.blocks = [
            block(name, each, ffn(name, *clamps))
            for name, each, *clamps in zip(names, own, *(limit[:n_layer] for limit in limits), strict=True)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a layer."""
        return self.local_rope if self.is_local[layer] else self.rope


def _read_experts(accounts: Accounting, n_layer: int) -> ExpertConfig:
    accounts.ignore("leading_dense_block_count", "the tensors of a layer say whether it is a mixture")
    accounts.ignore("moe_every_n_layers", "the tensors of a layer say whether it is a mixture")
    experts = read_routed_experts(accounts, n_layer, "sigmoid")
    return experts._replace(n_ff_shared=accounts.get_int("expert_shared_feed_forward_length", min=1))


def read_limits(accounts: Accounting, key: str, n_layer: int) -> list[float]:
    """One number for each layer; 0: no limit.

    Raises:
        UnsupportedModel: a limit below which SiLU may fall.
    """
    listed = accounts.get_array(key, None, length=n_layer)
    limits = [0.0] * n_layer if listed is None else [float(limit) for limit in listed]
    if any(limit and not limit >= _LEAST_CLAMP for limit in limits):
        raise UnsupportedModel(f"{key} holds {min(limits)}; supported are 0 and numbers from {_LEAST_CLAMP}.")
    return limits
