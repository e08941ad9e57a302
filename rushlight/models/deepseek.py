"""DeepSeekMoE 16B, ERNIE-like and other models of DeepSeek's first mixtures.

A llama block (see `rushlight.models.llama`) whose feed-forward networks, in all layers but the first
``leading_dense_block_count``, are mixtures of experts: softmax over all of them, the weights of the chosen
not divided by their sum but multiplied (``expert_weights_scale``), and ``expert_shared_count`` experts that
every token uses.

Source: Dai et al. 2024, "DeepSeekMoE: Towards Ultimate Expert Specialization in Mixture-of-Experts Language
Models"; ``deepseek.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_deepseek_experts
from rushlight.models.experts import ffn_of
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the deepseek architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "deepseek", experts=True), Weights(accounts, backend)
        accounts.expect("expert_gating_func", 1, "only softmax is known for this architecture")
        accounts.expect("expert_weights_norm", False, "weights divided by their sum are not known here")
        experts = read_deepseek_experts(accounts, config.n_layer, "softmax")
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=True, factors=weights.rope_factors(config))
        self.blocks = [
            block_of(weights, config, f"blk.{i}", ffn_of(weights, config, experts, i))
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
