"""EuroBERT, and Jina Embeddings 5 nano.

A llama block (see `rushlight.models.llama`) that reads both ways: an encoder (see `rushlight.models.bert`).
RoPE turns halves of a head (NeoX), and there are no logits.

Source: Boizard et al. 2025, "EuroBERT"; ``eurobert.cpp`` in llama.cpp's ``src/models``;
``modeling_eurobert.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_encoder import LlamaEncoder
from rushlight.models.weights import Weights


class Model(LlamaEncoder):
    """A model of the eurobert architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "eurobert", pools=True, causal=False)
        super().__init__(config, Weights(accounts, backend), n_ctx)
        self.rope = self.rope_table(interleaved=False)
