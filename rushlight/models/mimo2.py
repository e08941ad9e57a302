"""MiMo-V2 of Xiaomi: Flash and its successors.

A llama block (see `rushlight.models.llama`), with these differences:

- ``attention.sliding_window_pattern`` tells windowed from full layers. They differ in the number of
  key-value heads, a list for each layer, and in the base of RoPE (``rope.freq_base_swa``), which turns
  halves (NeoX) of the first ``rope.dimension_count`` columns of a head.
- Value heads are narrower than key heads. What attention gives is multiplied by ``attention.value_scale``.
- A layer may have sinks, scores without values (``attn_sinks``).
- A layer with ``ffn_gate_inp`` is a mixture of experts: sigmoid, a bias that takes part in the choice alone
  (``exp_probs_b``), the weights of the chosen divided by their sum.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

Source: Xiaomi 2025, "MiMo-V2-Flash"; ``mimo2.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Block, Blocks, Part, block_of
from rushlight.models.config import (
    Config,
    read_config,
    read_heads_by_layer,
    read_window_freq_base,
    read_window_layers,
)
from rushlight.models.expert_config import read_expert_ff, read_experts
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the mimo2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        heads = read_heads_by_layer(accounts)
        n_head, n_head_kv = heads[0]
        config = read_config(
            accounts,
            "mimo2",
            n_swa=n_swa,
            n_head=n_head,
            n_head_kv=n_head_kv,
            experts=True,
            n_layer_nextn=n_next,
        )
        n_all = config.n_layer + n_next
        experts = read_experts(accounts, n_all, read_expert_ff(accounts, n_all), gating="sigmoid")
        self.value_scale = accounts.get_float("attention.value_scale", 0.0) or 1.0  # 0 stands for none
        self.is_local = read_window_layers(accounts, n_all, period=1)[: config.n_layer]
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        weights = Weights(accounts, backend)
        own = [config._replace(n_head=q, n_head_kv=kv) for q, kv in heads[: config.n_layer]]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local], own)
        self.rope = self.rope_table(interleaved=False)
        self.local_rope = rope_table(self.n_ctx, config.n_rot, local_base, interleaved=False)

        def ffn(name: str) -> Part:
            if weights.has(f"{name}.ffn_gate_inp.weight"):
                return SwiGLUExperts(weights, config, experts, name)
            return SwiGLU(weights, config, name)

        def block(layer: int, config: Config) -> Block:
            name = f"blk.{layer}"
            has_sinks = weights.has(f"{name}.attn_sinks.weight")
            return block_of(weights, config, name, ffn(name), sinks=has_sinks)

        self.blocks = [block(i, each) for i, each in enumerate(own)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a layer."""
        return self.local_rope if self.is_local[layer] else self.rope

    def attend_block(self, ops: Ops, block: Block, x: Tensor, layer: int) -> Tensor:
        """The attention of a layer up to its output matrix."""
        return ops.scale(super().attend_block(ops, block, x, layer), self.value_scale)
