"""Qwen2-VL and Qwen2.5-VL, the language model: text only.

A qwen2 block (see `rushlight.models.qwen2`): a llama block with biases of ``attn_q``, ``attn_k`` and
``attn_v``, and RoPE that turns halves of a head (NeoX). ``rope.dimension_sections`` says which pairs turn by
an image's row and column; in text these are the token's position, and all pairs turn alike.

Source: Wang et al. 2024, "Qwen2-VL"; ``qwen2vl.cpp`` in llama.cpp's ``src/models``; ``modeling_qwen2_vl.py``
in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the qwen2vl architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        accounts.ignore("rope.dimension_sections", "they tell pairs apart in images only")
        super().__init__(read_config(accounts, "qwen2vl"), Weights(accounts, backend), n_ctx)
        self.rope = self.rope_table(interleaved=False)
