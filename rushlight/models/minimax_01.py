"""MiniMax-Text-01 and MiniMax-M1: 456B-A46B.

Norm, mixer, norm, mixture of experts, with these differences to a llama block (see
`rushlight.models.llama`):

- What a part's output is added to is the part's own normed input, times ``residual_scale``.
- Every ``full_attention_interval``-th (8) layer has attention, whose RoPE turns halves (NeoX) of the first
  ``rope.dimension_count`` columns of a head; ``attention.recurrent_layers`` may say for each layer.
- The others have lightning attention: ``attn_qkv`` gives each head its query, key and value, which go through
  SiLU and a gated linear attention (see `Ops.gated_linear_attention`) whose decays are the same for all
  tokens, ``exp(-slope)``; the slopes are ALiBi's, less and less from the first layer to the last. What is
  read has an RMS norm (``attn_norm_2``) and is multiplied by the sigmoid of ``attn_gate``.
- Experts by softmax, the weights of the chosen divided by their sum.

Source: MiniMax 2025, "MiniMax-01: Scaling Foundation Models with Lightning Attention"; ``minimax-01.cpp`` in
llama.cpp's ``src/models``; ``modeling_minimax.py`` in transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.backends.cache import RecurrentCache
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_experts
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.gated_hybrid import read_recurrent_layers
from rushlight.models.layers import RmsNorm
from rushlight.models.linear import Joined
from rushlight.models.weights import Weights


def slopes_of(config: Config, layer: int) -> list[float]:
    """How fast the heads of a layer forget: the logarithms of their decays, negated."""
    start = 2 ** -(2 ** (3 - math.log2(config.n_head)))
    share = 1 - layer / max(1, config.n_layer - 1) + 1e-5
    return [start ** (head + 1) * share for head in range(config.n_head)]


class LightningAttention:
    """The weights of a layer's linear attention, up to its output matrix."""

    def __init__(self, weights: Weights, config: Config, layer: int) -> None:
        name, n_head, head_dim = f"blk.{layer}", config.n_head, config.n_embd_head_k
        self._n = n_head * head_dim
        self._qkv = weights.regrouped(f"{name}.attn_qkv", n_head, (head_dim,) * 3, config.n_embd)
        self._gate = weights.linear(f"{name}.attn_gate", self._n, config.n_embd)
        self._norm = RmsNorm(weights, f"{name}.attn_norm_2", self._n, config.norm_eps)
        decays = [math.exp(-slope) for slope in slopes_of(config, layer)]
        self._decay = weights.numbers([decay for decay in decays for _ in range(head_dim)])

    def __call__(self, ops: Ops, x: Tensor, layer: int) -> Tensor:
        """The gated heads: [T, H * D]."""
        qkv, n = ops.silu(self._qkv(ops, x)), self._n
        q, k, v = (qkv.columns(i * n, (i + 1) * n) for i in range(3))
        read = self._norm(ops, ops.gated_linear_attention(q, k, v, self._decay, layer))
        return ops.multiply(read, ops.sigmoid(self._gate(ops, x)))


class Block:
    """The weights of one layer."""

    def __init__(
        self, weights: Weights, config: Config, experts: ExpertConfig, recurrent: bool, layer: int
    ) -> None:
        name, n_embd, eps = f"blk.{layer}", config.n_embd, config.norm_eps
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.mixer: LightningAttention | Joined
        self.mixer = LightningAttention(weights, config, layer) if recurrent else weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        self.ffn = SwiGLUExperts(weights, config, experts, name)


class Model(Decoder):
    """A model of the minimax-01 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "minimax-01", experts=True)
        if config.n_embd_head_k != config.n_embd_head_v:
            raise UnsupportedModel("Lightning attention with keys and values of different widths.")
        accounts.expect("expert_gating_func", 1, "experts are chosen by softmax in this architecture")
        n_layer, weights = config.n_layer, Weights(accounts, backend)
        experts = read_experts(accounts, n_layer, config.n_ff)
        self.residual_scale = accounts.get_float("residual_scale")
        recurrent = read_recurrent_layers(accounts, n_layer, interval=8)
        cache = RecurrentCache((config.n_head, config.n_embd_head_k, config.n_embd_head_v))
        super().__init__(config, weights, n_ctx, [cache if own else 0 for own in recurrent])
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [Block(weights, config, experts, own, i) for i, own in enumerate(recurrent)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            if isinstance(block.mixer, LightningAttention):
                mixed = block.mixer(ops, normed, i)
            else:
                mixed = self.attend(ops, block.mixer(ops, normed), i, self.rope)
            if block is self.blocks[-1]:
                normed, mixed = ops.outputs(normed), ops.outputs(mixed)
            x = ops.add(ops.scale(normed, self.residual_scale), block.attn_output(ops, mixed))
            normed = block.ffn_norm(ops, x)
            x = ops.add(ops.scale(normed, self.residual_scale), block.ffn(ops, normed))
        return self.output(ops, self.output_norm(ops, x))
