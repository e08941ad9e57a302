"""Refact 1.6B.

A llama block (see `rushlight.models.llama`) with ALiBi (`rushlight.models.alibi`) in place of RoPE, with a
largest bias of 8.

Source: Refact AI 2023, "Refact 1.6B"; ``refact.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.alibi import MAX_BIAS, slopes_of
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the refact architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "refact", max_alibi_bias=MAX_BIAS)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        self.slopes = slopes_of(weights, config.n_head, MAX_BIAS)
