"""Baichuan and Baichuan 2, 7B.

A llama block (see `rushlight.models.llama`) and nothing else: GGUF files hold its joined ``W_pack`` split
into ``attn_q``, ``attn_k`` and ``attn_v``, the first two permuted for interleaved RoPE. The 13B model, known
by its 40 layers, has ALiBi in place of RoPE, which is not implemented.

Source: Yang et al. 2023, "Baichuan 2"; ``baichuan.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights

_LAYERS_OF_13B = 40


class Model(LlamaBlocks):
    """A model of the baichuan architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "baichuan")
        if config.n_layer == _LAYERS_OF_13B:
            raise UnsupportedModel("Baichuan 13B has ALiBi in place of RoPE, which is not implemented.")
        super().__init__(config, Weights(accounts, backend), n_ctx)
        self.rope = self.rope_table(interleaved=True)
