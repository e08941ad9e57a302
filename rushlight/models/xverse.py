"""XVERSE: 7B, 13B and 65B.

A llama block (see `rushlight.models.llama`) and nothing else; RoPE turns interleaved pairs.

Source: ``xverse.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the xverse architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        super().__init__(read_config(accounts, "xverse"), Weights(accounts, backend), n_ctx)
        self.rope = self.rope_table(interleaved=True)
