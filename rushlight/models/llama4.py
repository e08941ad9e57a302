"""Llama 4, the language models: Scout and Maverick. Text only.

A llama block (see `rushlight.models.llama`), with these differences:

- Of every four layers, three attend within chunks of 8,192 positions, and only these turn RoPE (interleaved
  pairs); the fourth sees everything and knows no positions. ``attention.sliding_window`` 0 says that every
  layer sees all and turns.
- Behind RoPE, each query head and each key head goes through an RMS norm without weights; not so in
  Maverick, known by its 128 experts.
- Queries of layers that know no positions grow with their position p, by ``1 + 0.1 * ln(1 + floor((p + 1) /
  8192))``.
- Every ``interleave_moe_layer_step``-th layer is a mixture of experts, ``expert_feed_forward_length`` wide.
  A token uses one of them, whose input is multiplied by the sigmoid of its logit, and a shared one of the
  same width.

Source: Meta 2025, Llama 4; ``llama4.cpp`` in llama.cpp's ``src/models``; ``modeling_llama4.py`` in
transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config, read_config, read_window_freq_base, read_window_layers
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_expert_ff, read_experts
from rushlight.models.experts import SharedExpert
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.llama_block import LlamaBlock
from rushlight.models.rope import position_growth
from rushlight.models.weights import Weights

_CHUNK = 8192
_GROWTH = (0.1, _CHUNK, 1)
_EXPERTS_OF_MAVERICK = 128


class OneExpert:
    """The expert that a token has chosen, and the shared one."""

    def __init__(self, weights: Weights, config: Config, experts: ExpertConfig, name: str) -> None:
        n_expert, n_ff, n_embd = experts.n_expert, experts.n_ff, config.n_embd
        self._routing = experts.routing
        self._router = weights.linear(f"{name}.ffn_gate_inp", n_expert, n_embd)
        self._gate, self._up = weights.gate_up_experts(name, n_expert, n_ff, n_embd)
        self._down = weights.experts(f"{name}.ffn_down_exps", n_expert, n_embd, n_ff)
        self._shared = SharedExpert(weights, n_embd, n_ff, name)

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The sum of both."""
        routes = ops.route(self._router(ops, x), self._routing)
        weighed = ops.scale_rows(x, ops.route_weights(routes))
        gated = ops.silu_mul(self._gate(ops, weighed, routes), self._up(ops, weighed, routes))
        return ops.add(self._down(ops, gated, routes), self._shared(ops, x))


class Model(Decoder):
    """A model of the llama4 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        has_chunks = accounts.get_int("attention.sliding_window", 1, min=0) > 0
        config, weights = read_config(accounts, "llama4", experts=True), Weights(accounts, backend)
        n_layer = config.n_layer
        if config.n_rot != config.n_embd_head_k:
            raise UnsupportedModel("llama4.rope.dimension_count is less than a head, which llama4 never has.")
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        experts = read_experts(
            accounts, n_layer, read_expert_ff(accounts, n_layer), gating="sigmoid", normalize=False
        )
        if experts.routing.n_used != 1:
            raise UnsupportedModel(f"llama4 uses one expert, not {experts.routing.n_used}.")
        step = accounts.get_int("interleave_moe_layer_step", min=0)
        is_local = read_window_layers(accounts, n_layer, period=4)
        windows = [_CHUNK if has_chunks and local else 0 for local in is_local]
        super().__init__(config, weights, n_ctx, windows, chunked=True)
        rope = self.rope_table(True, weights.rope_freqs(config.n_rot), local_base if has_chunks else None)
        self.ropes = [rope if local or not has_chunks else None for local in is_local]
        self.growth = weights.of_positions(position_growth(self.n_ctx, *_GROWTH))
        self.has_norms = experts.n_expert != _EXPERTS_OF_MAVERICK

        def ffn(layer: int) -> Part:
            if step and (layer + 1) % step == 0:
                return OneExpert(weights, config, experts, f"blk.{layer}")
            return SwiGLU(weights, config, f"blk.{layer}")

        self.blocks = [LlamaBlock(weights, config, f"blk.{i}", ffn=ffn(i)) for i in range(n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        growth = ops.embed_positions(self.growth)
        for i, block in enumerate(self.blocks):
            attended = self._attend(ops, block.attn_qkv(ops, block.attn_norm(ops, x)), i, growth)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))

    def _attend(self, ops: Ops, qkv: tuple[Tensor, ...], layer: int, growth: Tensor) -> Tensor:
        q, k, v = qkv
        config, rope = self.config, self.ropes[layer]
        if rope is None:
            q = ops.scale_rows(q, growth)
        else:
            q, k = ops.rope(q, rope, config.n_head), ops.rope(k, rope, config.n_head_kv)
            if self.has_norms:
                q = ops.rms_norm(q, None, config.norm_eps, config.n_head)
                k = ops.rms_norm(k, None, config.norm_eps, config.n_head_kv)
        return self.attend(ops, (q, k, v), layer, rope=None)
