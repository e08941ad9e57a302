"""Hunyuan, the dense models: 0.5B to 7B.

A llama block (see `rushlight.models.llama`), with these differences:

- RoPE turns halves of a head (NeoX). The dynamic scaling of long contexts is in ``rope.freq_base`` already.
- Each query head and each key head goes through an RMS norm of its own width, after RoPE.
- The heads are wider than n_embd / n_head (``attention.key_length``).

Source: Tencent Hunyuan Team 2025, Hunyuan dense models; ``hunyuan-vl.cpp`` in llama.cpp's ``src/models``,
whose graph it has; ``modeling_hunyuan_v1_dense.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.llama_block import NormedHeadsBlock
from rushlight.models.weights import Weights


class TurnedThenNormed(Decoder):
    """A model of llama blocks whose query heads and key heads are normed after RoPE.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.

    Attributes:
        rope: the angles of all layers; an architecture sets it after this constructor.
    """

    rope: RopeTable

    def __init__(self, config: Config, weights: Weights, n_ctx: int | None) -> None:
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.blocks = [NormedHeadsBlock(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        config = self.config
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            q, k, v = block.attn_qkv(ops, block.attn_norm(ops, x))
            q = block.attn_q_norm(ops, ops.rope(q, self.rope, config.n_head))
            k = block.attn_k_norm(ops, ops.rope(k, self.rope, config.n_head_kv))
            attended = self.attend(ops, (q, k, v), i, rope=None)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))


class Model(TurnedThenNormed):
    """A model of the hunyuan-dense architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "hunyuan-dense"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False, factors=weights.rope_factors(config))
