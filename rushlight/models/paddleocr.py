"""PaddleOCR-VL, the language model: text only.

A llama block (see `rushlight.models.llama`) whose RoPE turns halves of a head (NeoX).
``rope.dimension_sections`` says which pairs turn by an image's row and column; in text these are the token's
position, and all pairs turn alike.

Source: PaddlePaddle 2025, "PaddleOCR-VL"; ``paddleocr.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the paddleocr architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        accounts.ignore("rope.dimension_sections", "they tell pairs apart in images only")
        super().__init__(read_config(accounts, "paddleocr"), Weights(accounts, backend), n_ctx)
        self.rope = self.rope_table(interleaved=False)
