"""Jamba: Mini, Large, and Jamba Reasoning 3B.

A llama block (see `rushlight.models.llama`), with these differences:

- A layer whose entry of ``attention.head_count_kv`` is 0 has a Mamba-1 layer (see
  `rushlight.models.selective_ssm`) with the output ``ssm_out`` in place of attention. Its low-rank step, b
  and c go through RMS norms.
- Attention knows no positions.
- A layer with ``ffn_gate_inp`` is a mixture of experts as wide as ``feed_forward_length``: softmax over all
  of them; the weights of the chosen are not divided by their sum.

Source: Lieber et al. 2024, "Jamba: A Hybrid Transformer-Mamba Language Model"; ``jamba.cpp`` in llama.cpp's
``src/models``; ``modeling_jamba.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config, read_config, read_heads
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_experts
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.linear import Joined
from rushlight.models.selective_ssm import Mamba, SelectiveSizes, read_selective_ssm
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer; `sizes` is None where it has attention."""

    def __init__(
        self, weights: Weights, config: Config, sizes: SelectiveSizes | None, name: str, ffn: Part
    ) -> None:
        n_embd = config.n_embd
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.mixer: Joined | Mamba
        if sizes is None:
            self.mixer = weights.qkv(name, config)
            self.output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        else:
            self.mixer = Mamba(weights, config, sizes, name, norms=True)
            self.output = weights.linear(f"{name}.ssm_out", n_embd, sizes.n_inner)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, config.norm_eps)
        self.ffn = ffn


class Model(Decoder):
    """A model of the jamba architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        heads, has_experts = read_heads(accounts), accounts.get_int("expert_count", 0, min=0) > 0
        config = read_config(accounts, "jamba", n_head_kv=max(heads), experts=has_experts)
        experts = (
            read_experts(accounts, config.n_layer, config.n_ff, normalize=False) if has_experts else None
        )
        sizes, weights = read_selective_ssm(accounts), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0 if n else sizes.cache for n in heads])
        self.blocks = [
            Block(weights, config, None if n else sizes, name, _ffn(weights, config, experts, name))
            for name, n in ((f"blk.{i}", n) for i, n in enumerate(heads))
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            if isinstance(block.mixer, Mamba):
                mixed = block.mixer(ops, normed, i)
            else:
                mixed = self.attend(ops, block.mixer(ops, normed), i, rope=None)
            if block is self.blocks[-1]:
                x, mixed = ops.outputs(x), ops.outputs(mixed)
            x = ops.add(x, block.output(ops, mixed))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))


def _ffn(weights: Weights, config: Config, experts: ExpertConfig | None, name: str) -> Part:
    if experts is None or not weights.has(f"{name}.ffn_gate_inp.weight"):
        return SwiGLU(weights, config, name)
    return SwiGLUExperts(weights, config, experts, name)
