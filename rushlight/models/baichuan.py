"""Baichuan and Baichuan 2, 7B and 13B.

A llama block (see `rushlight.models.llama`) and nothing else: GGUF files hold its joined ``W_pack`` split
into ``attn_q``, ``attn_k`` and ``attn_v``, the first two permuted for interleaved RoPE. The 13B model, known
by its 40 layers, has ALiBi (`rushlight.models.alibi`) in place of RoPE, with a largest bias of 8.

Source: Yang et al. 2023, "Baichuan 2"; ``baichuan.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.alibi import MAX_BIAS, slopes_of
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights

_LAYERS_OF_13B = 40


class Model(LlamaBlocks):
    """A model of the baichuan architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        is_13b = accounts.get_int("block_count") == _LAYERS_OF_13B
        config = read_config(accounts, "baichuan", max_alibi_bias=MAX_BIAS if is_13b else 0.0)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        if is_13b:
            self.slopes = slopes_of(weights, config.n_head, MAX_BIAS)
        else:
            self.rope = self.rope_table(interleaved=True)
