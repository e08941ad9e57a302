"""Grok 1 and 2.

A llama block (see `rushlight.models.llama`), with these differences:

- The embedding is multiplied by ``embedding_scale``, logits by ``logit_scale``; with
  ``final_logit_softcapping`` they are kept within that by ``cap * tanh(x / cap)``.
- Scores are multiplied by ``attention.output_scale`` in place of 1 / sqrt(D), and kept within
  ``attn_logit_softcapping``. RoPE turns halves of a head (NeoX).
- Norms behind attention (``attn_output_norm``) and network (``layer_output_norm``, or ``post_ffw_norm``).
- A mixture of experts by softmax, whose weights are divided by their sum, with GELU in place of SiLU. Where a
  layer has ``ffn_up``, too, a dense network beside it: the sum of both is divided by the root of 2.

The numbers of Grok 1 stand in for keys that a file lacks. ``attention.temperature_length`` says that queries
from that position on are scaled by the logarithm of their position, which neither llama.cpp nor this does: a
model is loaded for no more positions. The models also keep router logits within
``router_logit_softcapping``; llama.cpp, which can be compared with, does not, and this follows it.

Source: xAI 2024, https://github.com/xai-org/grok-1; ``grok.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import InvalidParameter
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_expert_ff, read_experts
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.layers import GeGLU, RmsNorm
from rushlight.models.weights import Weights

_EMBEDDING, _LOGITS, _SCORES, _SOFTCAP = 78.38367176906169, 0.5773502691896257, 0.08838834764831845, 30.0


class GeGLUExperts(SwiGLUExperts):
    """`SwiGLUExperts` with GELU."""

    def _gated(self, ops: Ops, gate: Tensor, up: Tensor) -> Tensor:
        return ops.gelu_mul(gate, up)


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, experts: ExpertConfig, name: str) -> None:
        n_embd, eps = config.n_embd, config.norm_eps
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.attn_output_norm = RmsNorm(weights, f"{name}.attn_output_norm", n_embd, eps)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        self._experts = GeGLUExperts(weights, config, experts, name)
        self._dense: Part | None = None
        if weights.has(f"{name}.ffn_up.weight"):
            self._dense = GeGLU(weights, config, name)
        of_norm = "layer_output_norm" if weights.has(f"{name}.layer_output_norm.weight") else "post_ffw_norm"
        self.layer_output_norm = RmsNorm(weights, f"{name}.{of_norm}", n_embd, eps)

    def ffn(self, ops: Ops, x: Tensor) -> Tensor:
        """The networks of the layer."""
        chosen = self._experts(ops, x)
        if self._dense is None:
            return chosen
        return ops.scale(ops.add(self._dense(ops, x), chosen), math.sqrt(0.5))


class Model(Decoder):
    """A model of the grok architecture.

    Raises:
        InvalidParameter: `n_ctx` is more than ``attention.temperature_length``.
    """

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = _within_temperature(accounts, read_config(accounts, "grok", experts=True), n_ctx)
        n_ff = read_expert_ff(accounts, config.n_layer, config.n_ff)
        experts, weights = read_experts(accounts, config.n_layer, n_ff), Weights(accounts, backend)
        accounts.ignore("router_logit_softcapping", "llama.cpp does not apply it either")
        self.embedding_scale = accounts.get_float("embedding_scale", _EMBEDDING)
        self.logit_scale = accounts.get_float("logit_scale", _LOGITS)
        self.attention_scale = accounts.get_float("attention.output_scale", _SCORES)
        self.attn_softcap = accounts.get_float("attn_logit_softcapping", _SOFTCAP, min=1e-3)
        self.final_softcap = accounts.get_float("final_logit_softcapping", 0.0, min=0.0)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [Block(weights, config, experts, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd, self.embedding_scale)
        for i, block in enumerate(self.blocks):
            qkv = block.attn_qkv(ops, block.attn_norm(ops, x))
            attended = self.attend(ops, qkv, i, self.rope, self.attention_scale, self.attn_softcap)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output_norm(ops, block.attn_output(ops, attended)))
            x = ops.add(x, block.layer_output_norm(ops, block.ffn(ops, block.ffn_norm(ops, x))))
        logits = ops.scale(self.output(ops, self.output_norm(ops, x)), self.logit_scale)
        return ops.softcap(logits, self.final_softcap) if self.final_softcap else logits


def _within_temperature(accounts: Accounting, config: Config, n_ctx: int | None) -> Config:
    most = accounts.get_int("attention.temperature_length", 0, min=0)
    if not most:
        return config
    if n_ctx is not None and n_ctx > most:
        raise InvalidParameter(
            f"n_ctx is {n_ctx}; this file scales queries from position {most} on "
            "(attention.temperature_length), which is not implemented."
        )
    return config._replace(n_ctx_train=min(most, config.n_ctx_train))
