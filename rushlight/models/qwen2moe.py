"""Qwen 1.5 and 2 with experts: Qwen1.5-MoE-A2.7B, Qwen2-57B-A14B.

A qwen2 block (see `rushlight.models.qwen2`), whose feed-forward network is the sum of two:

- ``expert_used_count`` of ``expert_count`` experts, by softmax over all of them. The weights of the chosen
  are not divided by their sum.
- A shared expert that every token uses, times the sigmoid of ``ffn_gate_inp_shexp``'s product with the
  input.

An expert is ``expert_feed_forward_length`` wide, or the dense width over the experts used; the shared one
``expert_shared_feed_forward_length``, or as a dense network.

Source: Qwen Team 2024, "Qwen1.5-MoE: Matching 7B Model Performance with 1/3 Activated Parameters";
``qwen2moe.cpp`` in llama.cpp's ``src/models``; ``modeling_qwen2_moe.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_expert_ff, read_experts
from rushlight.models.experts import ExpertsAndShared, SharedExpert, SwiGLUExperts
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the qwen2moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "qwen2moe", experts=True), Weights(accounts, backend)
        experts = read_experts(accounts, config.n_layer, config.n_ff, normalize=False)
        n_ff = read_expert_ff(accounts, config.n_layer, config.n_ff // experts.routing.n_used)
        experts = experts._replace(n_ff=n_ff)
        n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0) or config.n_ff
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False)

        def ffn(name: str) -> ExpertsAndShared:
            return ExpertsAndShared(
                SwiGLUExperts(weights, config, experts, name),
                SharedExpert(weights, config.n_embd, n_ff_shared, name),
                weights.row(f"{name}.ffn_gate_inp_shexp.weight", config.n_embd),
            )

        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [block_of(weights, config, name, ffn(name)) for name in names]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
