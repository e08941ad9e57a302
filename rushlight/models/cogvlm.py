"""CogVLM and CogVLM2, the language model: text only.

A llama block (see `rushlight.models.llama`) whose RoPE turns halves of a head (NeoX), with the base 10,000
whatever else a file might say; one that does is refused. ``attn_qkv`` holds queries, keys and values one
below the other. Tokens of images have matrices of their own (``vis_*``), which are not read.

Source: Wang et al. 2023, "CogVLM: Visual Expert for Pretrained Language Models"; ``cogvlm.cpp`` in
llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the cogvlm architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        accounts.expect("rope.freq_base", 10000.0, "another base is not implemented")
        accounts.ignore_tensor("blk.*.vis_*", "matrices for tokens of images")
        super().__init__(read_config(accounts, "cogvlm"), Weights(accounts, backend), n_ctx)
        self.rope = self.rope_table(interleaved=False)
