"""Nomic Embed Text 1 and 1.5, CodeRankEmbed.

A BERT (see `rushlight.models.bert`), with these differences:

- RoPE turns halves of a head (NeoX) in place of the embeddings of positions.
- The feed-forward network is SwiGLU. No linear layer has a bias.

Source: Nussbaum et al. 2024, "Nomic Embed"; ``nomic-bert.cpp`` and ``bert.cpp`` in llama.cpp's
``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.bert_block import RotaryBert
from rushlight.models.layers import SwiGLU


class Model(RotaryBert):
    """A model of the nomic-bert architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        super().__init__(accounts, backend, n_ctx, "nomic-bert", SwiGLU)
