"""Nanbeige 4.2.

A llama block (see `rushlight.models.llama`), whose RoPE turns interleaved pairs, with one difference: all
layers run ``num_loops`` times, one round after the other, each round with keys and values of its own.
Between two rounds the residual goes through ``output_norm``, unless ``skip_loop_final_norm`` is true.

Source: Nanbeige 2026, Nanbeige 4.2; ``nanbeige.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.llama_block import LlamaBlock
from rushlight.models.weights import Weights


class Model(Decoder):
    """A model of the nanbeige architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        self.n_loops = accounts.get_int("num_loops", 1, min=1, max=64)
        self.has_norms_between = not accounts.get_bool("skip_loop_final_norm", False)
        config, weights = read_config(accounts, "nanbeige"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * (config.n_layer * self.n_loops))
        self.rope = self.rope_table(interleaved=True, factors=weights.rope_factors(config))
        self.blocks = [LlamaBlock(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x, n_layer = ops.embed(self.token_embd), self.config.n_layer
        for i in range(n_layer * self.n_loops):
            block = self.blocks[i % n_layer]
            if i and i % n_layer == 0 and self.has_norms_between:
                x = self.output_norm(ops, x)
            attended = self.attend(ops, block.attn_qkv(ops, block.attn_norm(ops, x)), i, self.rope)
            if i == n_layer * self.n_loops - 1:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
