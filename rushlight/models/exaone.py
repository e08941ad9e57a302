"""EXAONE 3.0, 3.5 and Deep.

A llama block (see `rushlight.models.llama`), with two differences:

- RoPE turns halves of a head (NeoX), not neighbouring columns.
- Its frequencies are divided by ``rope_freqs.weight``, as those of Llama 3, where the file has it.

Source: LG AI Research 2024, "EXAONE 3.5"; ``exaone.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the exaone architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "exaone"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False, factors=weights.rope_factors(config))
