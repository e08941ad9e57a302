"""Tiny random models for embeddings: one row for each architecture, each with its own way of pooling."""

from __future__ import annotations

from helpers.dense_models import LLAMA
from helpers.random_models import RandomModel

EMBEDDING_MODELS: tuple[RandomModel, ...] = (
    RandomModel("llama-first", "llama", LLAMA, metadata={"pooling_type": 2}),
    RandomModel("qwen2-mean", "qwen2", LLAMA, "output_norm", metadata={"pooling_type": 1}),
    RandomModel(
        "qwen3-last",
        "qwen3",
        f"{LLAMA} attn_q_norm attn_k_norm",
        "output_norm",
        head_dim=32,
        metadata={"pooling_type": 3},
    ),
)
