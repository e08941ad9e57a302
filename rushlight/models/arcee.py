"""Arcee AFM 4.5B.

A llama block (see `rushlight.models.llama`), with two differences:

- The feed-forward network is ``down(max(up(x), 0)^2)``, without a gate.
- RoPE turns interleaved pairs; long contexts use YaRN.

Source: Arcee AI 2025, AFM-4.5B; ``arcee.cpp`` in llama.cpp's ``src/models``; ``modeling_arcee.py`` in
transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.layers import ReluSquaredFFN
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the arcee architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "arcee"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, ffn=ReluSquaredFFN)
        self.rope = self.rope_table(interleaved=True, factors=weights.rope_factors(config))
