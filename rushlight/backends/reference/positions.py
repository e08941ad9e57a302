"""The positions that tokens choose, in NumPy. See `Ops.top_positions` and `Ops.top_blocks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rushlight.backends.batch import Batch, Int32Array
from rushlight.backends.reference.pools import KVPool
from rushlight.backends.tensors import Float32Array

_LOWEST = np.finfo(np.float32).min


class ChosenPositions(NamedTuple):
    """The `Positions` of this backend.

    Attributes:
        seen: bool [T, heads, positions], which of them each token has chosen; 1 head for all of them.
        n_top: most positions of a token and head.
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
    seen = np.zeros((batch.n_tokens, 1, int(batch.positions.max()) + 1), np.bool_)
    for token, keys in _keys_of_tokens(k, pool, batch, tables):
        products = q[token].reshape(weights.shape[1], -1) @ keys.T
        scores = np.zeros(len(keys), np.float32)
        for weight, own in zip(weights[token], products, strict=True):
            scores += weight * np.where(own > 0, own, np.float32(0))
        seen[token, 0, _highest(scores, n_top)] = True
    return ChosenPositions(seen, n_top)


def choose_blocks(
    q: Float32Array,
    k: Float32Array,
    blocks: tuple[int, int, int],
    pool: KVPool,
    batch: Batch,
    tables: Int32Array,
) -> ChosenPositions:
    """Keep k [T, D] in `pool`, then choose `blocks`, as many of a size and so many local, by q [T, H * D]."""
    n_top, size, n_local = blocks
    n_head = q.shape[1] // k.shape[1]
    seen = np.zeros((batch.n_tokens, n_head, int(batch.positions.max()) + 1), np.bool_)
    for token, keys in _keys_of_tokens(k, pool, batch, tables):
        products = q[token].reshape(n_head, -1) @ keys.T
        products = np.where(products > _LOWEST, products, _LOWEST)
        starts = range(0, len(keys), size)
        scores = np.array([products[:, start : start + size].max(axis=1) for start in starts])
        scores[-n_local:] = np.inf
        for h in range(n_head):
            for block in _highest(scores[:, h], n_top):
                seen[token, h, block * size : min((block + 1) * size, len(keys))] = True
    return ChosenPositions(seen, n_top * size)


def _keys_of_tokens(
    k: Float32Array, pool: KVPool, batch: Batch, tables: Int32Array
) -> Iterator[tuple[int, Float32Array]]:
    """Keep k; then each token, and the keys [P, D] of the positions up to its own."""
    for s, table in enumerate(tables):
        tokens = range(batch.query_start[s], batch.query_start[s + 1])
        own = slice(tokens.start, tokens.stop)
        first = int(batch.positions[tokens.start])
        pool.store(table, first, k[own, None], np.empty((len(tokens), 1, 0), np.float32))
        keys = pool.load(table, 0, first + len(tokens))[0][:, 0]
        for token in tokens:
            yield token, keys[: first + token - tokens.start + 1]


def _highest(scores: Float32Array, n: int) -> npt.NDArray[np.intp]:
    """The places of the n highest scores, of equal ones the first; NaN is the lowest of all."""
    scores = np.where(scores > _LOWEST, scores, _LOWEST)
    return np.argsort(-scores, kind="stable")[:n]
