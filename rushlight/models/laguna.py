"""Laguna of Poolside: XS and S.

A llama block (see `rushlight.models.llama`), with these differences:

- Of every four layers, the first sees everything, the others only ``attention.sliding_window`` positions;
  ``attention.sliding_window_pattern`` may say otherwise. They differ in the number of query heads, a list
  for each layer, and in RoPE, which turns halves (NeoX): full layers turn ``rope.dimension_count`` columns
  of a head, with YaRN; windowed ones ``rope.dimension_count_swa``, unscaled, with the base
  ``rope.freq_base_swa``.
- Each query head and each key head goes through an RMS norm of its own width before RoPE.
- What is attended is multiplied by the softplus of ``attn_gate``'s product with the layer's input, each
  column or each head by its own.
- All layers but the first ``leading_dense_block_count`` are mixtures of experts: sigmoid
  (``expert_gating_func``), a bias that takes part in the choice alone (``exp_probs_b``), weights divided by
  their sum (``expert_weights_norm``) and multiplied (``expert_weights_scale``), and a shared expert,
  ``expert_shared_feed_forward_length`` wide or as wide as ``expert_shared_count`` others.

Source: Poolside 2026, Laguna; ``laguna.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Block, Blocks, block_of
from rushlight.models.config import (
    Config,
    read_config,
    read_heads_by_layer,
    read_window_freq_base,
    read_window_layers,
)
from rushlight.models.expert_config import ExpertConfig, read_routed_experts
from rushlight.models.experts import ffn_of
from rushlight.models.layers import RmsNorm
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the laguna architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", 0, min=0)
        heads = read_heads_by_layer(accounts)
        config = read_config(
            accounts, "laguna", n_swa=n_swa, n_head=heads[0][0], n_head_kv=heads[0][1], experts=True
        )
        n_layer, n_embd_head = config.n_layer, config.n_embd_head_k
        experts = _read_experts(accounts, n_layer)
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        local_rot = accounts.get_int("rope.dimension_count_swa", config.n_rot, min=2, max=n_embd_head)
        pattern = read_window_layers(accounts, n_layer, period=4, first=True)
        self.is_local = [n_swa > 0 and local for local in pattern]
        weights = Weights(accounts, backend)
        own = [config._replace(n_head=q, n_head_kv=kv) for q, kv in heads]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local], own)
        self.rope = self.rope_table(interleaved=False)
        self.local_rope = rope_table(self.n_ctx, local_rot, local_base, interleaved=False)

        def block(layer: int, config: Config) -> Block:
            name = f"blk.{layer}"
            per_head = weights.rows(f"{name}.attn_gate.weight") == config.n_head
            n_gate = config.n_head * (1 if per_head else n_embd_head)
            ffn = ffn_of(weights, config, experts, layer)
            return block_of(weights, config, name, ffn, qk_norms=(n_embd_head,) * 2, n_gate=n_gate)

        self.blocks = [block(i, each) for i, each in enumerate(own)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a layer."""
        return self.local_rope if self.is_local[layer] else self.rope

    def gate(self, ops: Ops, x: Tensor) -> Tensor:
        """Softplus, which may lengthen what is attended."""
        return ops.softplus(x)


def _read_experts(accounts: Accounting, n_layer: int) -> ExpertConfig:
    experts = read_routed_experts(accounts, n_layer, "sigmoid")
    n_shared = accounts.get_int("expert_shared_count", 1, min=1, max=1 << 16)
    n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0, max=1 << 24)
    return experts._replace(
        n_ff_shared=n_ff_shared or n_shared * experts.n_ff,
        n_layer_dense_lead=accounts.get_int("leading_dense_block_count", min=0),
    )
