"""Qwen3-VL with experts, the language models of 30B-A3B and 235B-A22B: text only.

A qwen3moe block (see `rushlight.models.qwen3moe`). Of images alone speak:

- ``rope.dimension_sections``, which pairs turn by an image's row and column; in text these are the token's
  position, and all pairs turn alike;
- ``n_deepstack_layers``, how many layers add features of an image to the residual.

Source: Qwen Team 2025, "Qwen3-VL Technical Report"; ``qwen3vlmoe.cpp`` in llama.cpp's ``src/models``;
``modeling_qwen3_vl_moe.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.qwen3moe import ExpertBlocks


class Model(ExpertBlocks):
    """A model of the qwen3vlmoe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        accounts.ignore("rope.dimension_sections", "they tell pairs apart in images only")
        accounts.ignore("n_deepstack_layers", "they add features of images, which text has not")
        super().__init__(accounts, "qwen3vlmoe", backend, n_ctx)
