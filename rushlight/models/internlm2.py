"""InternLM 2 and 2.5.

A llama block (see `rushlight.models.llama`) and nothing else: GGUF files hold its joined ``wqkv`` split into
``attn_q``, ``attn_k`` and ``attn_v``, the first two permuted for interleaved RoPE.

Source: Cai et al. 2024, "InternLM2 Technical Report"; ``internlm2.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the internlm2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        super().__init__(read_config(accounts, "internlm2"), Weights(accounts, backend), n_ctx)
        self.rope = self.rope_table(interleaved=True)
