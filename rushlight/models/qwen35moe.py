"""Qwen3.5 and Qwen3.6 with experts: 35B-A3B, 122B-A10B, 397B-A17B; text only.

A qwen35 block (see `rushlight.models.qwen35`), whose feed-forward network is the sum of two:

- ``expert_used_count`` of ``expert_count`` experts, by softmax over all of them, the weights of the chosen
  divided by their sum;
- a shared expert that every token uses, times the sigmoid of ``ffn_gate_inp_shexp``'s product with the input.

An expert is ``expert_feed_forward_length`` wide, or the dense width over the experts used; the shared one
``expert_shared_feed_forward_length``, or as a dense network.

Source: Qwen Team 2026, "Qwen3.5"; ``qwen35moe.cpp`` in llama.cpp's ``src/models``;
``modeling_qwen3_5_moe.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.expert_hybrid import ExpertHybrid


class Model(ExpertHybrid):
    """A model of the qwen35moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        accounts.ignore("rope.dimension_sections", "they tell pairs apart in images only")
        super().__init__(accounts, "qwen35moe", backend, n_ctx, grouped=False)
