"""Mistral Small 4.

The layers of deepseek2 (see `rushlight.models.deepseek2`) and nothing else: latent attention, whose queries
may grow with their positions, and mixtures of experts with a shared one.

Source: Mistral AI 2026, "Mistral Small 4"; ``mistral4.cpp`` in llama.cpp's ``src/models``;
``modeling_mistral4.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.deepseek2 import LatentDecoder


class Model(LatentDecoder):
    """A model of the mistral4 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        super().__init__(accounts, "mistral4", backend, n_ctx)
