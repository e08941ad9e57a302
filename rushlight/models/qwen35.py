"""Qwen3.5 and Qwen3.6, the dense language models: text only.

A llama block (see `rushlight.models.llama`), with these differences:

- Most layers are gated delta nets (see `rushlight.models.delta_net`) with the output ``ssm_out``. Every
  ``full_attention_interval``-th (4) layer has attention; ``attention.recurrent_layers`` may say for each
  layer whether it has none.
- ``attn_q`` holds for each head its query and then a gate: what is attended is multiplied by the gate's
  sigmoid.
- Each query head and each key head goes through an RMS norm of its own width before RoPE, which turns
  only the first ``rope.dimension_count`` columns, by halves (NeoX).
- ``rope.dimension_sections`` says which pairs turn by an image's row and column; in text these are the
  token's position, and all pairs turn alike.
- The norm before the feed-forward network is called ``post_attention_norm``.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

Source: Qwen Team 2026, "Qwen3.5"; ``qwen35.cpp`` in llama.cpp's ``src/models``; ``modeling_qwen3_5.py`` in
transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.gated_hybrid import GatedHybrid
from rushlight.models.layers import SwiGLU
from rushlight.models.weights import Weights


class Model(GatedHybrid):
    """A model of the qwen35 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        config = read_config(accounts, "qwen35", n_layer_nextn=n_next)
        accounts.ignore("rope.dimension_sections", "they tell pairs apart in images only")
        weights = Weights(accounts, backend)

        def ffn(name: str) -> SwiGLU:
            return SwiGLU(weights, config, name)

        super().__init__(accounts, config, weights, n_ctx, n_next, False, ffn)
