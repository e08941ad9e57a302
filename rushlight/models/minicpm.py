"""MiniCPM 1 and 2, MiniCPM 4.

A llama block with the multipliers of Granite (see `rushlight.models.granite`), except that of the scores.
Files of old converters leave them out; they stand for 12, 1.4 / sqrt(n_layer) and n_embd / 256. (llama.cpp
takes 256 / n_embd for the last, which makes its logits of such files smaller or larger and changes no order.)
MiniCPM 4 has LongRoPE's two sets of factors.

Source: Hu et al. 2024, "MiniCPM"; ``minicpm.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.granite import Multipliers, ScaledBlocks
from rushlight.models.weights import Weights


class Model(ScaledBlocks):
    """A model of the minicpm architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "minicpm")
        residual = 1.4 / math.sqrt(config.n_layer)
        multipliers = Multipliers(
            embedding=accounts.get_float("embedding_scale", 12.0),
            residual=accounts.get_float("residual_scale", residual),
            logits=1 / accounts.get_float("logit_scale", config.n_embd / 256, min=1e-6),
        )
        super().__init__(config, Weights(accounts, backend), n_ctx, multipliers, has_rope=True)
