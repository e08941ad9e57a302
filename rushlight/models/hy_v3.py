"""Hunyuan 3: Hy3 and its variants.

A llama block (see `rushlight.models.llama`), with these differences:

- Each query head and each key head goes through an RMS norm of its own width before RoPE, which turns halves
  (NeoX).
- A layer with ``ffn_gate_inp`` is a mixture of experts: sigmoid or softmax (``expert_gating_func``), a bias
  that takes part in the choice alone (``exp_probs_b``), weights divided by their sum
  (``expert_weights_norm``) and multiplied (``expert_weights_scale``), and a shared expert of
  ``expert_shared_feed_forward_length`` columns or as wide as the others. The first layers are dense.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

Source: Tencent Hunyuan Team 2026, Hy3; ``hy-v3.cpp`` in llama.cpp's ``src/models``; ``modeling_hy_v3.py`` in
transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, Part, block_of
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_routed_experts
from rushlight.models.experts import ExpertsAndShared, SharedExpert, SwiGLUExperts
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the hy_v3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        config = read_config(accounts, "hy_v3", experts=True, n_layer_nextn=n_next)
        experts = read_routed_experts(accounts, config.n_layer + n_next, "sigmoid")
        n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0) or experts.n_ff
        accounts.ignore("leading_dense_block_count", "the tensors of a layer say whether it is a mixture")
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False, factors=weights.rope_factors(config))

        def ffn(name: str) -> Part:
            if not weights.has(f"{name}.ffn_gate_inp.weight"):
                return SwiGLU(weights, config, name)
            chosen = SwiGLUExperts(weights, config, experts, name, selection_bias="exp_probs_b")
            return ExpertsAndShared(chosen, SharedExpert(weights, config.n_embd, n_ff_shared, name))

        qk_norms = config.n_embd_head_k, config.n_embd_head_k
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [block_of(weights, config, name, ffn(name), qk_norms=qk_norms) for name in names]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
