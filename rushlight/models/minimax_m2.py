"""MiniMax-M2, M2.1 and M2.5.

A llama block (see `rushlight.models.llama`), with these differences:

- All queries of a token together, and all its keys, go through an RMS norm before RoPE, which turns halves
  (NeoX) of the first ``rope.dimension_count`` columns of a head.
- Experts in place of the feed-forward network, ``expert_feed_forward_length`` wide: sigmoid
  (``expert_gating_func``), a bias that takes part in the choice alone (``exp_probs_b``), the weights of the
  chosen divided by their sum.

Source: MiniMax 2025, "MiniMax-M2"; ``minimax-m2.cpp`` in llama.cpp's ``src/models``;
``modeling_minimax_m2.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_expert_ff, read_experts, read_gating
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the minimax-m2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "minimax-m2", experts=True), Weights(accounts, backend)
        n_ff = read_expert_ff(accounts, config.n_layer)
        experts = read_experts(accounts, config.n_layer, n_ff, gating=read_gating(accounts, "sigmoid"))
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False)
        qk_norms = config.n_head * config.n_embd_head_k, config.n_head_kv * config.n_embd_head_k
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [
            block_of(weights, config, name, SwiGLUExperts(weights, config, experts, name), qk_norms=qk_norms)
            for name in names
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
