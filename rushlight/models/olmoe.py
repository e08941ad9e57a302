"""OLMoE-1B-7B.

A llama block (see `rushlight.models.llama`), with these differences:

- All queries of a token together, and all its keys, go through an RMS norm before RoPE, which turns halves
  (NeoX).
- Experts in place of the feed-forward network: softmax over all of them; the weights of the chosen are not
  divided by their sum.
- Clamping of queries, keys and values (``attention.clamp_kqv``) is not implemented; the models do without.

Source: Muennighoff et al. 2024, "OLMoE: Open Mixture-of-Experts Language Models"; ``olmoe.cpp`` in
llama.cpp's ``src/models``; ``modeling_olmoe.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_experts
from rushlight.models.experts import ffn_of
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the olmoe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "olmoe", experts=True), Weights(accounts, backend)
        experts = read_experts(accounts, config.n_layer, config.n_ff, normalize=False)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False)
        qk_norms = config.n_head * config.n_embd_head_k, config.n_head_kv * config.n_embd_head_k
        self.blocks = [
            block_of(weights, config, f"blk.{i}", ffn_of(weights, config, experts, i), qk_norms=qk_norms)
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
