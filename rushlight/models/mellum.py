"""Mellum 2 of JetBrains.

A qwen3moe block (see `rushlight.models.qwen3moe`): an RMS norm of each query head and each key head, RoPE by
halves (NeoX), experts by softmax whose weights are divided by their sum. With one difference: of every four
layers, three see only ``attention.sliding_window`` positions and turn RoPE unscaled, with the base
``rope.freq_base_swa`` if the file has it; the fourth sees all, with YaRN.
``attention.sliding_window_pattern`` may say otherwise.

Source: JetBrains 2026, Mellum 2; ``mellum.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, RopeTable
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config, read_window_freq_base, read_window_layers
from rushlight.models.expert_config import read_expert_ff, read_experts
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.layers import RmsNorm
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the mellum architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", 0, min=0)
        config = read_config(accounts, "mellum", n_swa=n_swa, experts=True)
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        n_ff = read_expert_ff(accounts, config.n_layer)
        experts, weights = read_experts(accounts, config.n_layer, n_ff), Weights(accounts, backend)
        pattern = read_window_layers(accounts, config.n_layer, period=4)
        self.is_local = [n_swa > 0 and local for local in pattern]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.rope = self.rope_table(interleaved=False)
        self.local_rope = rope_table(self.n_ctx, config.n_rot, local_base, interleaved=False)
        qk_norms, names = (config.n_embd_head_k,) * 2, [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [
            block_of(weights, config, name, SwiGLUExperts(weights, config, experts, name), qk_norms=qk_norms)
            for name in names
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a layer."""
        return self.local_rope if self.is_local[layer] else self.rope
