"""Ling 2.0 and Ring 2.0: mini, flash and 1T.

A llama block (see `rushlight.models.llama`), with these differences:

- ``attn_qkv`` holds queries, keys and values one below the other. Each query head and each key head goes
  through an RMS norm of its own width before RoPE, which turns halves (NeoX) of the first
  ``rope.dimension_count`` columns of a head.
- All layers but the first ``leading_dense_block_count`` are mixtures of experts as in DeepSeek-V3: sigmoid
  or softmax (``expert_gating_func``), a bias that takes part in the choice alone (``exp_probs_b``), a choice
  of groups first (``expert_group_count``, ``expert_group_used_count``), weights divided by their sum
  (``expert_weights_norm``) and multiplied (``expert_weights_scale``), and ``expert_shared_count`` experts
  that every token uses, each ``expert_shared_feed_forward_length`` wide or as wide as the others.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

Source: Ling Team 2025, "Every Activation Boosted: Scaling General Reasoner to 1 Trillion Open Language
Foundation"; ``bailingmoe2.cpp`` in llama.cpp's ``src/models``.
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
    """A model of the bailingmoe2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        config = read_config(accounts, "bailingmoe2", experts=True, n_layer_nextn=n_next)
        experts = read_deepseek_experts(accounts, config.n_layer + n_next, "sigmoid")
        n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0, max=1 << 24)
        if n_ff_shared:
            n_ff_shared *= experts.n_ff_shared // experts.n_ff
            experts = experts._replace(n_ff_shared=n_ff_shared)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False)
        qk_norms = config.n_embd_head_k, config.n_embd_head_k
        self.blocks = [
            block_of(weights, config, f"blk.{i}", ffn_of(weights, config, experts, i), qk_norms=qk_norms)
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
