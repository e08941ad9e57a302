"""Muse Glimmer of Meta: text only.

A llama block (see `rushlight.models.llama`), with these differences:

- The embedding goes through an RMS norm without weights.
- Norms behind attention and feed-forward network, too (``post_attention_norm``, ``post_ffw_norm``), with an
  epsilon of 1e-8.
- Each query head and each key head goes through an RMS norm of its own width.
- Of every four layers, three see only ``attention.sliding_window`` positions, and only these turn RoPE
  (interleaved pairs); the fourth sees all and knows no positions. ``attention.sliding_window_pattern`` may
  say otherwise.
- What is attended is multiplied by the sigmoid of ``attn_gate``'s product with the layer's input.
- Logits are multiplied by ``logit_scale``, then capped by ``final_logit_softcapping``.

Source: Meta 2026, Muse Glimmer; ``muse-glimmer.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config, read_window_freq_base, read_window_layers
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.weights import Weights

_POST_NORM_EPS = 1e-8


class Model(Blocks):
    """A model of the muse-glimmer architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        self.softcap = accounts.get_float("final_logit_softcapping", 0.0, min=0.0)
        self.logit_scale = accounts.get_float("logit_scale")
        config = read_config(accounts, "muse-glimmer", n_swa=n_swa)
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        weights = Weights(accounts, backend)
        self.is_local = read_window_layers(accounts, config.n_layer, period=4)
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.rope = self.rope_table(interleaved=True, freq_base=local_base)
        qk_norms, n_gate = (config.n_embd_head_k,) * 2, config.n_head * config.n_embd_head_v
        names = [f"blk.{i}" for i in range(config.n_layer)]
        blocks = [
            block_of(weights, config, name, SwiGLU(weights, config, name), qk_norms=qk_norms, n_gate=n_gate)
            for name in names
        ]
        self.blocks = [
            block._replace(
                post_attention_norm=RmsNorm(
                    weights, f"{name}.post_attention_norm", config.n_embd, _POST_NORM_EPS
                ),
                post_ffw_norm=RmsNorm(weights, f"{name}.post_ffw_norm", config.n_embd, _POST_NORM_EPS),
            )
            for block, name in zip(blocks, names, strict=True)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a windowed layer."""
        return self.rope if self.is_local[layer] else None

    def embed(self, ops: Ops) -> Tensor:
        """The normed embedding."""
        return ops.rms_norm(super().embed(ops), None, self.config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        logits = ops.scale(super().forward(ops), self.logit_scale)
        return ops.softcap(logits, self.softcap) if self.softcap else logits
