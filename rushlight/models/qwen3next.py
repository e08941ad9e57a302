"""Qwen3-Next 80B-A3B and Qwen3-Coder-Next.

A qwen35moe block (see `rushlight.models.qwen35moe`), with these differences in its gated delta nets:

- The value heads that share a key head are neighbours, as in attention.
- ``ssm_ba`` holds what ``ssm_beta`` and ``ssm_alpha`` hold there: for each key head the rows of the betas of
  its value heads, then of their alphas.
- Early files have one ``ssm_in`` for ``attn_qkv`` and ``attn_gate``: for each key head the rows of its query,
  its key, the values and the gates of its value heads.

Source: Qwen Team 2025, "Qwen3-Next"; ``qwen3next.cpp`` in llama.cpp's ``src/models``;
``modeling_qwen3_next.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.expert_hybrid import ExpertHybrid


class Model(ExpertHybrid):
    """A model of the qwen3next architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        super().__init__(accounts, "qwen3next", backend, n_ctx, grouped=True)
