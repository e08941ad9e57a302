"""Goldens of models for embeddings and for ranking, and results of any batch of texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from helpers.batches import Paging, Piece
from helpers.embedding_models import EMBEDDING_MODELS, RANK_MODELS
from helpers.random_models import Float32Array, RandomModel

from rushlight.backends.base import Backend, Limits
from rushlight.gguf import open_gguf
from rushlight.models import load_model
from rushlight.models.purpose import pooling_left

PATH = Path(__file__).parents[1] / "goldens" / "embeddings.json"
GOLDEN: dict[str, dict[str, Any]] = json.loads(PATH.read_text("utf-8"))["models"]
MODELS = {model.name: model for model in (*EMBEDDING_MODELS, *RANK_MODELS)}
EVERY = 33
"""Of hidden states a golden keeps one row in so many."""


def expected_of(model: RandomModel) -> list[Float32Array]:
    """What llama.cpp gave for each text."""
    return [np.array(rows, np.float32) for rows in GOLDEN[model.name]["embeddings"]]


def raw_results(backend: Backend, path: Path, texts: Sequence[list[int]], n_ctx: int = 128) -> Float32Array:
    """What a model gives for texts in one step, not normalized: rows of all tokens, or of the last ones."""
    with open_gguf(path) as file:
        model = load_model(file, backend, n_ctx)
        paging = Paging(model.cache, n_ctx, len(texts))
        n_tokens = n_ctx * len(texts)
        limits = Limits(n_tokens, len(texts), n_tokens, n_ctx, paging.n_blocks, "f32")
        executor = backend.executor(model, limits)
        ends = (np.cumsum([len(ids) for ids in texts]) - 1).tolist()
        every_row = pooling_left(model.config).name in ("MEAN", "CLS") or not model.config.pooling
        pieces = [Piece(ids, 0, slot) for slot, ids in enumerate(texts)]
        found = executor.step(paging.batch(pieces, None if every_row else ends)).copy()
        executor.close()
    return found
