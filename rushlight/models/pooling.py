"""Pooling: the hidden states of a text's tokens become one vector, its embedding.

The kinds and their numbers are those of llama.cpp (``enum llama_pooling_type`` in ``include/llama.h``), and
so is the length of the vector: 1 (``common_embd_normalize``).
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np

from rushlight.backends.base import Float32Array
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting


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


def read_pooling(accounts: Accounting, causal: bool, ranks: bool) -> Pooling:
    """``pooling_type``; without a head, a reranker that is causal runs as a model of tokens."""
    pooling = Pooling(accounts.get_int("pooling_type", 0, min=0, max=max(Pooling)))
    if ranks and pooling is not Pooling.RANK:
        accounts.ignore_tensor("cls.*", "the file does not say that it is a reranker, whose head this is")
    if pooling is not Pooling.RANK or ranks:
        return pooling
    if not causal:
        raise UnsupportedModel("Rerankers of this architecture (pooling_type 4) are not supported.")
    return Pooling.NONE


def read_cls_pooling(accounts: Accounting, default: Pooling, ranks: bool) -> Pooling:
    """``classifier.pooling_type``, which is MEAN or CLS; a causal model reads its last token."""
    if not ranks:
        accounts.ignore("classifier.pooling_type", "there is no classifier's head to pool for")
        return default
    if default is Pooling.LAST:
        accounts.expect("classifier.pooling_type", int(default), "a causal reranker reads its last token")
        return default
    return Pooling(accounts.get_int("classifier.pooling_type", int(default), min=1, max=2))


def count_labels(accounts: Accounting) -> int:
    """The number of ``classifier.output_labels``; 1 without them."""
    labels = accounts.get_array("classifier.output_labels", None)
    return 1 if labels is None else max(1, len(labels))
