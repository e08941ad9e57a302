"""Jina Embeddings 3, without its adapters.

A BERT (see `rushlight.models.bert`) in which RoPE turns halves of a head (NeoX) in place of the embeddings of
positions.

Source: Sturua et al. 2024, "jina-embeddings-v3"; ``jina-bert-v3.cpp`` and ``bert.cpp`` in llama.cpp's
``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.bert_block import RotaryBert
from rushlight.models.layers import GeluFFN


class Model(RotaryBert):
    """A model of the jina-bert-v3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        super().__init__(accounts, backend, n_ctx, "jina-bert-v3", GeluFFN)
