"""Pooling: the hidden states of a text's tokens become one vector, its embedding.

The kinds and their numbers are those of llama.cpp (``enum llama_pooling_type`` in ``include/llama.h``), and
so is the length of the vector: 1 (``common_embd_normalize``).
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np

from rushlight.backends.base import Float32Array


class Pooling(IntEnum):
    """``{arch}.pooling_type``."""

    NONE = 0
    MEAN = 1
    CLS = 2
    LAST = 3
    RANK = 4


def pool(rows: Float32Array, pooling: Pooling) -> Float32Array:
    """The embedding of a text: float32 [E], of length 1.

    Sums are in float64 and in order, so that they are the same on every processor.

    Args:
        rows: the hidden state of each token [T, E], T at least 1.
        pooling: `MEAN`, `CLS` (the first token) or `LAST`.

    Raises:
        ValueError: another kind.
    """
    if pooling is Pooling.MEAN:
        total = np.zeros(rows.shape[1])
        for row in rows:
            total += row
        vector = total / len(rows)
    elif pooling in (Pooling.CLS, Pooling.LAST):
        vector = rows[0 if pooling is Pooling.CLS else -1].astype(np.float64)
    else:
        raise ValueError(f"hidden states cannot be pooled by {pooling.name}")
    length = math.sqrt(math.fsum((vector * vector).tolist()))
    return (vector / (length or 1.0)).astype(np.float32)
