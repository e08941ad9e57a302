"""Granite 3 with experts: 1B-A400M and 3B-A800M.

A granite block (see `rushlight.models.granite`) with experts in place of the feed-forward network: softmax
over all of them, the weights of the chosen divided by their sum, and an expert of
``expert_shared_feed_forward_length`` columns that every token uses, if there is one.

Source: IBM 2024, "Granite 3.0 Language Models"; ``granite-moe.cpp`` in llama.cpp's ``src/models``;
``modeling_granitemoe.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_experts
from rushlight.models.granite import ScaledBlocks, read_multipliers
from rushlight.models.weights import Weights


class Model(ScaledBlocks):
    """A model of the granitemoe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        multipliers = read_multipliers(accounts)
        config = read_config(accounts, "granitemoe", experts=True)
        experts = read_experts(accounts, config.n_layer, config.n_ff)
        n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0)
        experts = experts._replace(n_ff_shared=n_ff_shared)
        super().__init__(config, Weights(accounts, backend), n_ctx, multipliers, experts=experts)
