"""GLM-5, 5.1 and 5.2.

The layers of deepseek2 (see `rushlight.models.deepseek2`), with the sparse attention of deepseek32 (see
`rushlight.models.deepseek32`), which differs from that in these:

- RoPE turns neighbouring columns in the indexer as well.
- A layer may have no indexer and see the positions that were chosen for the last layer with one
  (``attention.indexer.types``, true where a layer has its own). In files without the key all layers have one,
  or, where ``context_length`` is 1,048,576 or more (GLM-5.2), the first three and then every fourth.
- Experts are gated by a sigmoid where ``expert_gating_func`` does not say otherwise.

No GLM-5 has a ``rope.scaling``, and files that have one are refused.

Source: Z.ai 2026, "GLM-5"; ``glm-dsa.cpp`` in llama.cpp's ``src/models``; ``modeling_glm_moe_dsa.py`` in
transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.deepseek2 import LatentDecoder
from rushlight.models.indexer import IndexerConfig, read_indexer

_SHARING_CTX = 1 << 20
_FIRST, _PERIOD = 2, 4
"""The indexers of GLM-5.2: from the layer `_FIRST` on one in `_PERIOD`, and all in front of it."""


class Model(LatentDecoder):
    """A model of the glm-dsa architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        super().__init__(accounts, "glm-dsa", backend, n_ctx, gating="sigmoid")
        if self.config.rope_scaling.factor != 1:
            raise UnsupportedModel("glm-dsa with rope.scaling is not supported.")

    def read_indexer(self, accounts: Accounting, config: Config) -> IndexerConfig:
        """Some layers have an indexer, and lend what it chooses to those that follow."""
        shares = config.n_ctx_train >= _SHARING_CTX
        own = tuple(not shares or i < _FIRST or (i - _FIRST) % _PERIOD == 0 for i in range(config.n_layer))
        own = accounts.get_bools("attention.indexer.types", config.n_layer, own)
        return read_indexer(accounts, config, interleaved=True, own=own)
