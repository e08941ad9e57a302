"""Qwen, the first generation: 1.8B to 72B.

A llama block (see `rushlight.models.llama`), with these differences:

- ``attn_qkv`` holds queries, keys and values one below the other, with biases. There are as many key-value
  heads as query heads.
- RoPE turns halves of a head (NeoX).
- ``feed_forward_length`` counts gate and up together: each has half of it.

The original code's scaling of queries by the logarithm of the position, off in the files that were
published, is in neither llama.cpp nor this.

Source: Bai et al. 2023, "Qwen Technical Report"; ``qwen.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the qwen architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "qwen")
        if config.n_ff % 2:
            raise InvalidFile(f"Metadata qwen.feed_forward_length is {config.n_ff}; expected an even number.")
        super().__init__(config._replace(n_ff=config.n_ff // 2), Weights(accounts, backend), n_ctx)
        self.rope = self.rope_table(interleaved=False)
