"""SmallThinker: 4B-A0.6B and 21B-A3B.

A llama block (see `rushlight.models.llama`), with these differences:

- Of every four layers, the first sees everything and knows no positions; the others see only
  ``attention.sliding_window`` positions (llama.cpp takes 4,096, as the models have) and turn RoPE, by halves
  (NeoX). Without that key every layer sees all and turns.
- Experts in place of the feed-forward network, with ReLU for SiLU. The router reads what comes into the
  layer, in front of its attention and norm: softmax or sigmoid (``expert_gating_func``), the weights of the
  chosen divided by their sum.

Source: Song et al. 2025, "SmallThinker: A Family of Efficient Large Language Models Natively Trained for
Local Deployment"; ``smallthinker.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_window_freq_base
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_expert_ff, read_experts, read_gating
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights

_PERIOD = 4


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, experts: ExpertConfig, name: str) -> None:
        n_embd, n_expert, n_ff = config.n_embd, experts.n_expert, experts.n_ff
        self.router = weights.linear(f"{name}.ffn_gate_inp", n_expert, n_embd)
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, config.norm_eps)
        self.gate, self.up = weights.gate_up_experts(name, n_expert, n_ff, n_embd)
        self.down = weights.experts(f"{name}.ffn_down_exps", n_expert, n_embd, n_ff)


class Model(Decoder):
    """A model of the smallthinker architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", 0, min=0)
        config = read_config(accounts, "smallthinker", n_swa=n_swa, experts=True)
        weights = Weights(accounts, backend)
        accounts.expect("attention.sliding_window_pattern", _PERIOD, "other patterns are not implemented")
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        n_ff = read_expert_ff(accounts, config.n_layer)
        experts = read_experts(accounts, config.n_layer, n_ff, gating=read_gating(accounts, "sigmoid"))
        self.routing = experts.routing
        is_local = [n_swa > 0 and i % _PERIOD > 0 for i in range(config.n_layer)]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in is_local])
        rope = self.rope_table(interleaved=False, freq_base=local_base if n_swa else None)
        self.ropes = [rope if local or not n_swa else None for local in is_local]
        self.blocks = [Block(weights, config, experts, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            logits = block.router(ops, x)
            attended = self.attend(ops, block.attn_qkv(ops, block.attn_norm(ops, x)), i, self.ropes[i])
            if block is self.blocks[-1]:
                x, logits, attended = ops.outputs(x), ops.outputs(logits), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            routes, normed = ops.route(logits, self.routing), block.ffn_norm(ops, x)
            gated = ops.relu_mul(block.gate(ops, normed, routes), block.up(ops, normed, routes))
            x = ops.add(x, ops.combine(block.down(ops, gated, routes), routes))
        return self.output(ops, self.output_norm(ops, x))
