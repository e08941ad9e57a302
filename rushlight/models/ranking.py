"""What a reranker's head gives, as one score: as llama.cpp's ``/rerank`` has it."""

from __future__ import annotations

import numpy as np

from rushlight.backends.base import Float32Array
from rushlight.portable_math import exp_scaled


def score_of(row: Float32Array, softmax: bool) -> np.float32:
    """The first number of a row [n], or its share of the softmax over the row."""
    if not softmax or not np.isfinite(row).all():
        return np.float32(row[0])
    weights = exp_scaled(row, float(row.max()), 1.0)
    total = 0.0
    for weight in weights.tolist():
        total += weight
    return np.float32(weights[0] / total)
