"""GLM-4.5, GLM-4.5-Air, GLM-4.6 and GLM-4.7.

A llama block (see `rushlight.models.llama`), with these differences:

- ``attn_q``, ``attn_k`` and ``attn_v`` have biases. The large models norm each query head and each key head
  (``attn_q_norm``, ``attn_k_norm``).
- RoPE turns halves (NeoX) of the first ``rope.dimension_count`` columns of a head.
- The norm in front of the feed-forward network is called ``post_attention_norm``.
- All layers but the first ``leading_dense_block_count`` are mixtures of experts as in DeepSeek-V3: sigmoid,
  a bias that takes part in the choice alone (``exp_probs_b``), weights divided by their sum
  (``expert_weights_norm``) and multiplied (``expert_weights_scale``), and ``expert_shared_count`` experts
  that every token uses.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.
- Files for images, which carry ``rope.dimension_sections``, are refused.

Source: GLM-4.5 Team 2025, "GLM-4.5: Agentic, Reasoning, and Coding (ARC) Foundation Models";
``glm4-moe.cpp`` in llama.cpp's ``src/models``; ``modeling_glm4_moe.py`` in transformers.
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
    """A model of the glm4moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        dense = accounts.get_int("leading_dense_block_count", 0, min=0) > 0
        config = read_config(accounts, "glm4moe", experts=True, dense=dense, n_layer_nextn=n_next)
        experts = read_deepseek_experts(accounts, config.n_layer + n_next, "sigmoid")
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False)
        has_norms = weights.has("blk.0.attn_q_norm.weight")
        qk_norms = (config.n_embd_head_k, config.n_embd_head_k) if has_norms else None
        self.blocks = [
            block_of(
                weights,
                config,
                f"blk.{i}",
                ffn_of(weights, config, experts, i),
                ffn_norm="post_attention_norm",
                qk_norms=qk_norms,
            )
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
