"""SmolLM3.

A llama block (see `rushlight.models.llama`), with one difference: every fourth layer knows no positions, its
queries and keys are not turned (NoPE). The others turn interleaved pairs; long contexts use YaRN.

Source: Bakouch et al. 2025, "SmolLM3"; ``smollm3.cpp`` in llama.cpp's ``src/models``; ``modeling_smollm3.py``
in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.llama_block import LlamaBlock
from rushlight.models.weights import Weights

_NO_ROPE_LAYER_STEP = 4


class Model(Decoder):
    """A model of the smollm3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "smollm3"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        rope = self.rope_table(interleaved=True)
        self.ropes = [None if (i + 1) % _NO_ROPE_LAYER_STEP == 0 else rope for i in range(config.n_layer)]
        self.blocks = [LlamaBlock(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            attended = self.attend(ops, block.attn_qkv(ops, block.attn_norm(ops, x)), i, self.ropes[i])
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
