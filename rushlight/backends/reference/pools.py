"""The caches of the reference backend: NumPy pools in which a block is one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Limits
from rushlight.backends.batch import Int32Array
from rushlight.backends.cache import BLOCK_TOKENS, AttentionCache, CacheLayout
from rushlight.backends.tensors import Float32Array

FloatArray = npt.NDArray[np.floating[Any]]

KV_DTYPES: dict[str, type[np.floating[Any]]] = {"f16": np.float16, "f32": np.float32}


@dataclass(frozen=True)
class KVPool:
    """Keys and values of an attention layer.

    Attributes:
        keys: f16 or f32 [n_blocks, BLOCK_TOKENS, KH, D].
        values: f16 or f32 [n_blocks, BLOCK_TOKENS, KH, Dv].
        window: how many positions a token sees up to its own; 0: all.
        chunked: a token sees those since the last multiple of `window` instead.
        ahead: how many it sees behind its own.
    """

    keys: FloatArray
    values: FloatArray
    window: int
    chunked: bool
    ahead: int

    @classmethod
    def allocate(cls, spec: AttentionCache, n_blocks: int, dtype: type[np.floating[Any]]) -> KVPool:
        """An empty pool. Memory is taken only as blocks are first written."""
        shape = n_blocks, BLOCK_TOKENS, spec.n_head_kv
        return cls(
            np.zeros((*shape, spec.head_dim_k), dtype),
            np.zeros((*shape, spec.head_dim_v), dtype),
            spec.window,
            spec.chunked,
            spec.ahead,
        )

    def store(self, table: Int32Array, first: int, k: Float32Array, v: Float32Array) -> None:
        """Keep k [n, KH, D] and v [n, KH, Dv], rounded, at positions `first` onwards."""
        positions = np.arange(first, first + len(k))
        rows = table[positions // BLOCK_TOKENS], positions % BLOCK_TOKENS
        self.keys[rows] = k
        self.values[rows] = v

    def load(self, table: Int32Array, start: int, stop: int) -> tuple[Float32Array, Float32Array]:
        """Keys and values of positions `start` to ``stop - 1``: float32 [n, KH, D] and [n, KH, Dv]."""
        positions = np.arange(start, stop)
        rows = table[positions // BLOCK_TOKENS], positions % BLOCK_TOKENS
        return self.keys[rows].astype(np.float32), self.values[rows].astype(np.float32)

    @property
    def arrays(self) -> tuple[FloatArray, FloatArray]:
        """All that a block is a row of."""
        return self.keys, self.values

    def copy_block(self, source: int, target: int) -> None:
        """Copy block `source` over block `target`."""
        self.keys[target] = self.keys[source]
        self.values[target] = self.values[source]


@dataclass(frozen=True)
class StatePool:
    """What a recurrent layer keeps.

    Attributes:
        states: float32 [n_blocks, *state].
        conv: float32 [n_blocks, K - 1, C], the last inputs of a short convolution.
    """

    states: Float32Array
    conv: Float32Array

    @property
    def arrays(self) -> tuple[FloatArray, FloatArray]:
        """All that a block is a row of."""
        return self.states, self.conv

    def copy_block(self, source: int, target: int) -> None:
        """Copy block `source` over block `target`."""
        self.states[target] = self.states[source]
        self.conv[target] = self.conv[source]


def allocate_pools(layout: CacheLayout, limits: Limits) -> list[KVPool | StatePool]:
    """The pool of each layer."""
    pools: list[KVPool | StatePool] = []
    for layer, spec in enumerate(layout.specs):
        n_blocks = limits.n_blocks[layout.group_of_layer[layer]]
        if isinstance(spec, AttentionCache):
            pools.append(KVPool.allocate(spec, n_blocks, KV_DTYPES[limits.kv_dtype]))
        else:
            states, conv = (np.zeros((n_blocks, *shape), np.float32) for shape in (spec.state, spec.conv))
            pools.append(StatePool(states, conv))
    return pools
