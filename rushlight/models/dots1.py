"""dots.llm1.

A qwen3 block (see `rushlight.models.qwen3`). All layers but the first ``leading_dense_block_count`` are
mixtures of experts as in DeepSeek-V3: sigmoid or softmax (``expert_gating_func``), a bias that takes part in
the choice alone (``exp_probs_b``), weights divided by their sum (``expert_weights_norm``) and multiplied
(``expert_weights_scale``), and ``expert_shared_count`` experts that every token uses.

Source: rednote-hilab 2025, "dots.llm1 Technical Report"; ``dots1.cpp`` in llama.cpp's ``src/models``;
``modeling_dots1.py`` in transformers.
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
    """A model of the dots1 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "dots1", experts=True), Weights(accounts, backend)
        experts = read_deepseek_experts(accounts, config.n_layer, "softmax")
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False)
        qk_norms = config.n_embd_head_k, config.n_embd_head_k
        self.blocks = [
            block_of(weights, config, f"blk.{i}", ffn_of(weights, config, experts, i), qk_norms=qk_norms)
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
