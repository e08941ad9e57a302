"""ChatGLM 2 and 3, GLM-4 9B of 2024, CodeGeeX 4, GLM-Edge.

Beside a llama block (see `rushlight.models.llama`):

- ``attn_qkv`` holds queries, keys and values one below the other, with biases; ``ffn_up`` holds gate, then
  up.
- RoPE turns interleaved pairs of the first ``rope.dimension_count`` columns of a head, half of it.

Source: Team GLM 2024, "ChatGLM: A Family of Large Language Models"; ``chatglm.cpp`` in llama.cpp's
``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.layers import FusedSwiGLU
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the chatglm architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "chatglm"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, ffn=FusedSwiGLU)
        self.rope = self.rope_table(interleaved=True)
