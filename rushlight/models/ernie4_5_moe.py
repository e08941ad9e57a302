"""Ernie 4.5 with experts: 21B-A3B and 300B-A47B.

An ernie4_5 block (see `rushlight.models.ernie4_5`). All layers but the first ``leading_dense_block_count``
are mixtures of experts: softmax over all of them, a bias that takes part in the choice alone
(``exp_probs_b``), the weights of the chosen divided by their sum, and an expert of
``expert_shared_feed_forward_length`` columns that every token uses, if there is one. Mixtures in some of the
later layers only (``interleave_moe_layer_step``) are not implemented; the models do without.

Source: Baidu ERNIE Team 2025, "ERNIE 4.5 Technical Report"; ``ernie4-5-moe.cpp`` in llama.cpp's
``src/models``; ``modeling_ernie4_5_moe.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_expert_ff, read_experts
from rushlight.models.experts import ffn_of
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the ernie4_5-moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        accounts.expect("interleave_moe_layer_step", 1, "mixtures in some of the layers are not implemented")
        accounts.ignore("expert_shared_count", "expert_shared_feed_forward_length is that of all together")
        config, weights = read_config(accounts, "ernie4_5-moe", experts=True), Weights(accounts, backend)
        experts = read_experts(accounts, config.n_layer, read_expert_ff(accounts, config.n_layer))
        experts = experts._replace(
            n_ff_shared=accounts.get_int("expert_shared_feed_forward_length", 0, min=0),
            n_layer_dense_lead=accounts.get_int("leading_dense_block_count", 0, min=0),
        )
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=True)
        self.blocks = [
            block_of(weights, config, f"blk.{i}", ffn_of(weights, config, experts, i))
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
