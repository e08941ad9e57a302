"""openPangu Embedded: 1B and 7B.

A llama block (see `rushlight.models.llama`), with two differences:

- ``attn_q``, ``attn_k``, ``attn_v`` and ``attn_output`` have biases.
- RoPE turns halves of a head (NeoX).

Source: Huawei 2025, "Pangu Embedded"; ``pangu-embed.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the pangu-embedded architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "pangu-embedded"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False)
