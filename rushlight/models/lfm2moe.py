"""LFM2 of Liquid AI with experts: 8B-A1B, 24B-A2B.

An lfm2 block (see `rushlight.models.lfm2`), without a window, with experts in place of the feed-forward
network in all layers but the first ``leading_dense_block_count``: sigmoid, a bias that takes part in the
choice alone (``exp_probs_b``), the weights of the chosen divided by their sum.

Source: Liquid AI 2025, "LFM2 Technical Report"; ``lfm2moe.cpp`` in llama.cpp's ``src/models``;
``modeling_lfm2_moe.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config, read_heads
from rushlight.models.conv_hybrid import ConvHybrid
from rushlight.models.expert_config import read_expert_ff, read_experts, read_gating
from rushlight.models.experts import ffn_of
from rushlight.models.weights import Weights


class Model(ConvHybrid):
    """A model of the lfm2moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        heads = read_heads(accounts)
        config = read_config(accounts, "lfm2moe", n_head_kv=max(heads), experts=True)
        n_ff = read_expert_ff(accounts, config.n_layer)
        experts = read_experts(accounts, config.n_layer, n_ff, gating=read_gating(accounts, "sigmoid"))
        n_dense = accounts.get_int("leading_dense_block_count", 0, min=0)
        experts = experts._replace(n_layer_dense_lead=n_dense)
        weights = Weights(accounts, backend)
        super().__init__(
            accounts, config, weights, n_ctx, heads, lambda i: ffn_of(weights, config, experts, i)
        )
