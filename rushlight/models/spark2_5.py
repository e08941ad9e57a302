"""Spark-X2.5.

A llama block (see `rushlight.models.llama`), with these differences:

- ``attention.sliding_window_pattern`` tells layers that see only ``attention.sliding_window`` positions from
  those that see all. RoPE turns halves (NeoX): in full layers ``rope.dimension_count`` columns of a head, in
  windowed ones ``rope.dimension_count_swa``, with the base ``rope.freq_base_swa``.
- What a head attends to is multiplied by the sigmoid of its row of ``attn_gate``'s product with the layer's
  input.
- The feed-forward network has GELU for SiLU.

Source: iFlytek 2026, Spark-X2.5; ``spark2-5.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, RopeTable
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config, read_window_freq_base, read_window_layers
from rushlight.models.layers import GeGLU, RmsNorm
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the spark2_5 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        config, weights = read_config(accounts, "spark2_5", n_swa=n_swa), Weights(accounts, backend)
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        n_rot = accounts.get_int("rope.dimension_count_swa", config.n_rot, min=2, max=config.n_embd_head_k)
        self.is_local = read_window_layers(accounts, config.n_layer, period=1)
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.rope = self.rope_table(interleaved=False)
        self.local_rope = rope_table(self.n_ctx, n_rot, local_base, False, config.rope_scaling)
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [
            block_of(weights, config, name, GeGLU(weights, config, name), n_gate=config.n_head)
            for name in names
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a layer."""
        return self.local_rope if self.is_local[layer] else self.rope
