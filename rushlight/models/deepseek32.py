"""DeepSeek-V3.2 and V3.2-Exp.

The layers of deepseek2 (see `rushlight.models.deepseek2`), with sparse attention:

- Every layer has an indexer (see `rushlight.models.indexer`) of ``attention.indexer.head_count`` queries and
  one key, of ``attention.indexer.key_length`` columns. Each token sees the ``attention.indexer.top_k``
  positions up to its own with the highest scores, and no others; where there are no more than these, all.
- The indexer's queries come from the same short vector as those of attention (``attn_q_a``). Its RoPE turns
  column i of the first ``rope.dimension_count`` with column i + half, that of attention neighbouring columns.
- Of equal scores the earlier position is chosen; llama.cpp and transformers have no rule for these.
- DeepSeek's own code turns the indexer's queries and keys by a Hadamard matrix and rounds them to 8 bits. The
  turn changes no score, and keys are rounded as the cache rounds all keys.

Keys and values are read in runs of 256 positions. Runs without a chosen position are left out; in others what
was not chosen is read and weighs nothing, so a long context may cost as much as without the indexer.
``rope.scaling.yarn_log_multiplier``, where a file has it, must be 0.1.

Source: DeepSeek-AI 2025, "DeepSeek-V3.2"; ``deepseek32.cpp`` in llama.cpp's ``src/models``;
``modeling_deepseek_v32.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.deepseek2 import LatentDecoder
from rushlight.models.indexer import IndexerConfig, read_indexer


class Model(LatentDecoder):
    """A model of the deepseek32 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        multiplier = accounts.get_float("rope.scaling.yarn_log_multiplier", 0.1)
        if abs(multiplier - 0.1) > 1e-6:
            raise UnsupportedModel(f"rope.scaling.yarn_log_multiplier is {multiplier:g}; supported is 0.1.")
        super().__init__(accounts, "deepseek32", backend, n_ctx)

    def read_indexer(self, accounts: Accounting, config: Config) -> IndexerConfig:
        """Every layer has an indexer."""
        return read_indexer(accounts, config, interleaved=False)
