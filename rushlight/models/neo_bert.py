"""NeoBERT.

A llama block (see `rushlight.models.llama`) that reads both ways: an encoder (see `rushlight.models.bert`).
Of its own:

- RoPE turns neighbouring columns (interleaved pairs).
- ``attn_qkv`` holds queries, keys and values one below the other, ``ffn_up`` gate, then up.
- The last norm is ``enc.output_norm``; there are no logits.
- A reranker's head is ``cls.output(tanh(cls(x)))`` over the first token; a file may have one of both.

Source: Le Breton et al. 2025, "NeoBERT"; ``neo-bert.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.layers import FusedSwiGLU
from rushlight.models.llama_encoder import LlamaEncoder
from rushlight.models.weights import Weights


class Model(LlamaEncoder):
    """A model of the neo-bert architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "neo-bert", pools=True, ranks=True, causal=False)
        super().__init__(config, Weights(accounts, backend), n_ctx, "enc.output_norm", FusedSwiGLU)
        self.rope = self.rope_table(interleaved=True)
