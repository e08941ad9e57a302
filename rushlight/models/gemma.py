"""Gemma 1 and CodeGemma.

A llama block (see `rushlight.models.llama`), with these differences:

- Embeddings are multiplied by sqrt(n_embd). Gemma's norms scale by 1 + weight; GGUF files hold the sum.
- The gate goes through GELU (tanh form).
- The heads are wider than n_embd / n_head (``attention.key_length``); RoPE turns their halves (NeoX).
- The output head is the embedding.

Source: Gemma Team 2024, "Gemma: Open Models Based on Gemini Research and Technology"; ``gemma.cpp`` in
llama.cpp's ``src/models``; ``modeling_gemma.py`` in transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.layers import GeGLU
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the gemma architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "gemma"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, ffn=GeGLU, embed_scale=math.sqrt(config.n_embd))
        self.rope = self.rope_table(interleaved=False)
