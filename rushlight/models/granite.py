"""Granite 3 and 4, the dense models.

A llama block (see `rushlight.models.llama`), with four multipliers:

- The embedding is multiplied by ``embedding_scale``.
- What attention and what the feed-forward network add to the residual is multiplied by ``residual_scale``.
- Scores are multiplied by ``attention.scale`` in place of 1 / sqrt(D).
- Logits are divided by ``logit_scale``.

RoPE turns interleaved pairs; ``rope.scaling.finetuned`` false says that the model knows no positions at all.
Mixtures of experts are another architecture (see `rushlight.models.granitemoe`).

Source: IBM 2024, "Granite 3.0 Language Models"; ``granite.cpp`` in llama.cpp's ``src/models``;
``modeling_granite.py`` in transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor, Weight
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig
from rushlight.models.experts import ffn_of
from rushlight.models.layers import RmsNorm
from rushlight.models.llama_block import LlamaBlock
from rushlight.models.weights import Weights


class Multipliers(NamedTuple):
    """What is multiplied by what; `attention` None: scores by ``1 / sqrt(D)``."""

    embedding: float
    residual: float
    logits: float
    attention: float | None = None


def read_multipliers(accounts: Accounting) -> Multipliers:
    """Read those of Granite's models; 0 and no key stand for none, as in llama.cpp."""
    return Multipliers(
        embedding=accounts.get_float("embedding_scale", 0.0) or 1.0,
        residual=accounts.get_float("residual_scale", 0.0) or 1.0,
        logits=1 / accounts.get_float("logit_scale", 1.0, min=1e-6),
        attention=accounts.get_float("attention.scale", 0.0) or None,
    )


class ScaledLayers(Decoder):
    """A model of llama blocks with multipliers.

    Attributes:
        multipliers: the model's.
        blocks: the layers.
        ropes: what each turns its heads by, None for nothing.
        sinks: those of each layer's heads, None where there are none.
        output_norm: in front of the head.
    """

    multipliers: Multipliers
    blocks: Sequence[LlamaBlock]
    ropes: Sequence[RopeTable | None]
    sinks: Sequence[Weight] | None = None
    output_norm: RmsNorm

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        by = self.multipliers
        x = ops.embed(self.token_embd, by.embedding)
        for i, block in enumerate(self.blocks):
            qkv = block.attn_qkv(ops, block.attn_norm(ops, x))
            sinks = None if self.sinks is None else self.sinks[i]
            attended = self.attend(ops, qkv, i, self.ropes[i], by.attention, sinks=sinks)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, ops.scale(block.attn_output(ops, attended), by.residual))
            x = ops.add(x, ops.scale(block.ffn(ops, block.ffn_norm(ops, x)), by.residual))
        return ops.scale(self.output(ops, self.output_norm(ops, x)), by.logits)


class ScaledBlocks(ScaledLayers):
    """Such a model without windows, whose layers all know positions alike.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        multipliers: the model's.
        has_rope: whether the layers know positions.
        experts: of the feed-forward networks, where they are mixtures.
    """

    def __init__(
        self,
        config: Config,
        weights: Weights,
        n_ctx: int | None,
        multipliers: Multipliers,
        has_rope: bool = True,
        experts: ExpertConfig | None = None,
    ) -> None:
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        factors = weights.rope_factors(config)
        self.ropes = [self.rope_table(True, factors) if has_rope else None] * config.n_layer
        self.multipliers = multipliers
        self.blocks = [
            LlamaBlock(weights, config, f"blk.{i}", ffn=ffn_of(weights, config, experts, i))
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)


class Model(ScaledBlocks):
    """A model of the granite architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        has_rope = accounts.get_bool("rope.scaling.finetuned", True)
        multipliers = read_multipliers(accounts)
        config = read_config(accounts, "granite")
        super().__init__(config, Weights(accounts, backend), n_ctx, multipliers, has_rope)
