"""Seed-OSS 36B.

A llama block (see `rushlight.models.llama`), with these differences:

- The norm in front of the feed-forward network is called ``post_attention_norm``.
- ``attn_q``, ``attn_k`` and ``attn_v`` have biases.
- The heads are wider than n_embd / n_head (``attention.key_length``).
- RoPE turns halves of a head (NeoX).

Source: ByteDance Seed Team 2025, Seed-OSS; ``seed-oss.cpp`` in llama.cpp's ``src/models``;
``modeling_seed_oss.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the seed_oss architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "seed_oss"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, ffn_norm="post_attention_norm")
        self.rope = self.rope_table(interleaved=False)
