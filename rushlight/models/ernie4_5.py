"""ERNIE 4.5, the dense text model: 0.3B.

A llama block (see `rushlight.models.llama`) and nothing else; RoPE turns interleaved pairs. Files for images,
which carry ``rope.dimension_sections``, are refused.

Source: Baidu ERNIE Team 2025, "ERNIE 4.5 Technical Report"; ``ernie4-5.cpp`` in llama.cpp's ``src/models``;
``modeling_ernie4_5.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the ernie4_5 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        super().__init__(read_config(accounts, "ernie4_5"), Weights(accounts, backend), n_ctx)
        self.rope = self.rope_table(interleaved=True)
