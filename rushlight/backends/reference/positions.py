"""The positions that tokens choose, in NumPy. See `Ops.top_positions`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Float32Array
from rushlight.backends.batch import Batch, Int32Array
from rushlight.backends.reference.pools import KVPool

_LOWEST = np.finfo(np.float32).min


class ChosenPositions(NamedTuple):
    """The `Positions` of this backend.

    Attributes:
        seen: bool [T, positions], which of them each token has chosen.
        n_top: positions of a token.
    """

    seen: npt.NDArray[np.bool_]
    n_top: int


def choose_positions(
    q: Float32Array,
    weights: Float32Array,
    k: Float32Array,
    n_top: int,
    pool: KVPool,
    batch: Batch,
    tables: Int32Array,
) -> ChosenPositions:
    """Keep k [T, D] in `pool`, then choose for each token by q [T, H * D] and `weights` [T, H]."""
    seen = np.zeros((batch.n_tokens, int(batch.positions.max()) + 1), np.bool_)
    for s, table in enumerate(tables):
        tokens = range(batch.query_start[s], batch.query_start[s + 1])
        own = slice(tokens.start, tokens.stop)
        first, last = int(batch.positions[own][0]), int(batch.positions[own][-1])
        pool.store(table, first, k[own, None], np.empty((len(tokens), 1, 0), np.float32))
        keys = pool.load(table, 0, last + 1)[0][:, 0]
        for token, position in zip(tokens, range(first, last + 1), strict=True):
            scores = _scores(q[token], weights[token], keys[: position + 1])
            seen[token, np.argsort(-scores, kind="stable")[:n_top]] = True
    return ChosenPositions(seen, n_top)


def _scores(q: Float32Array, weights: Float32Array, keys: Float32Array) -> Float32Array:
    """Of one token, for each of some keys [P, D]."""
    products = q.reshape(len(weights), -1) @ keys.T
    scores = np.zeros(len(keys), np.float32)
    for weight, own in zip(weights, products, strict=True):
        scores += weight * np.where(own > 0, own, np.float32(0))
    return np.where(scores > _LOWEST, scores, _LOWEST)
