"""Llama models that were trained on to embed, such as Llama-Embed-Nemotron.

A llama (see `rushlight.models.llama`) that reads both ways: an encoder (see `rushlight.models.bert`) without
logits.

Source: Babakhin et al. 2025, "Llama-Embed-Nemotron-8B"; ``llama-embed.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_encoder import LlamaEncoder
from rushlight.models.weights import Weights


class Model(LlamaEncoder):
    """A model of the llama-embed architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "llama-embed", pools=True, causal=False)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=True, factors=weights.rope_factors(config))
