"""Choosing positions or blocks as a model of its own: attention that shows what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from helpers.batches import Paging, Piece
from helpers.cpu import Build, Floats, Forward, PoisonedExecutor, TableModel, randn, table_limits, tensor
from numpy.typing import NDArray

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.backends.cache import AttentionCache, CacheLayout
from rushlight.backends.cpu import CpuBackend
from rushlight.backends.reference import ReferenceBackend

N_CTX = 1024
Steps = Sequence[Sequence[Piece]]
Seen = NDArray[np.bool_]


@dataclass(frozen=True)
class Chooser:
    """Shapes of the op, and of attention behind it whose queries are columns of the table.

    Attributes:
        n_head, head_dim: of what scores.
        n_top: positions that are chosen.
        n_attending, attend_dim, value_dim: heads of attention, columns of a key and of a value.
        kv_dtype: of the cache.
    """

    n_head: int
    head_dim: int
    n_top: int
    n_attending: int = 1
    attend_dim: int = 16
    value_dim: int = 96
    kv_dtype: str = "f32"

    @property
    def layout(self) -> CacheLayout:
        return CacheLayout.of(
            (AttentionCache(1, self.attend_dim, self.value_dim), AttentionCache(1, self.head_dim, 0))
        )

    @property
    def parts(self) -> list[int]:
        """Where the columns of scoring queries, weights and keys, and of attention's q, k and v end."""
        sizes = (
            self.n_head * self.head_dim,
            self.n_head,
            self.head_dim,
            self.n_attending * self.attend_dim,
            self.attend_dim,
            self.value_dim,
        )
        return np.cumsum((0, *sizes)).tolist()

    def table(self, n_rows: int, seed: int = 0) -> Floats:
        return randn(n_rows, self.parts[-1], seed=seed)

    def split(self, x: Floats) -> list[Floats]:
        """Views of the six parts of a table."""
        return [x[:, a:b] for a, b in zip(self.parts, self.parts[1:], strict=False)]

    @property
    def build(self) -> Build:
        def build(backend: Backend) -> Forward:
            def forward(ops: Ops, x: Tensor) -> Tensor:
                q, w, k, *attending = (
                    x.columns(a, b) for a, b in zip(self.parts, self.parts[1:], strict=False)
                )
                chosen = ops.top_positions(q, w, k, 1, self.n_top)
                return ops.attention(*attending, 0, self.attend_dim**-0.5, chosen=chosen)

            return forward

        return build

    def showing(self, x: Floats) -> Floats:
        """Let every visible position weigh alike, and value p be 1 in column p alone."""
        q, _, v = self.split(x)[3:]
        q[:], v[:] = 0, np.eye(len(x), self.value_dim)
        return x

    def defined(self, x: Floats, n: int) -> Seen:
        """What each of the first n rows, as one sequence, chooses, by the op's definition."""
        q, w, k, *_ = (part.astype(np.float64) for part in self.split(x))
        seen = np.zeros((n, n), np.bool_)
        for t in range(n):
            heads = q[t].reshape(self.n_head, -1)
            scores = [
                sum(float(w[t, h]) * max(float(heads[h] @ k[p]), 0.0) for h in range(self.n_head))
                for p in range(t + 1)
            ]
            best = sorted(range(t + 1), key=lambda p: (-scores[p], p))[: self.n_top]
            seen[t, best] = True
        return seen


@dataclass(frozen=True)
class BlockChooser(Chooser):
    """Shapes of the op that chooses blocks, a query for each of `n_head` key-value heads of attention.

    Attributes:
        size: positions of a block.
        n_local: blocks up to the token's own that are always chosen.
    """

    size: int = 8
    n_local: int = 1

    @property
    def layout(self) -> CacheLayout:
        return CacheLayout.of(
            (
                AttentionCache(self.n_head, self.attend_dim, self.value_dim),
                AttentionCache(1, self.head_dim, 0),
            )
        )

    @property
    def parts(self) -> list[int]:
        sizes = (
            self.n_head * self.head_dim,
            1,
            self.head_dim,
            self.n_attending * self.attend_dim,
            self.n_head * self.attend_dim,
            self.n_head * self.value_dim,
        )
        return np.cumsum((0, *sizes)).tolist()

    @property
    def build(self) -> Build:
        def build(backend: Backend) -> Forward:
            def forward(ops: Ops, x: Tensor) -> Tensor:
                q, _, k, *attending = (
                    x.columns(a, b) for a, b in zip(self.parts, self.parts[1:], strict=False)
                )
                chosen = ops.top_blocks(q, k, 1, self.n_top, self.size, self.n_local)
                return ops.attention(*attending, 0, self.attend_dim**-0.5, chosen=chosen)

            return forward

        return build

    def showing(self, x: Floats) -> Floats:
        q, _, v = self.split(x)[3:]
        q[:], v[:] = 0, np.tile(np.eye(len(x), self.value_dim), self.n_head)
        return x

    def defined(self, x: Floats, n: int) -> Seen:
        q, _, k, *_ = (part.astype(np.float64) for part in self.split(x))
        seen = np.zeros((n, self.n_head, n), np.bool_)
        for t in range(n):
            own = t // self.size
            for h, query in enumerate(q[t].reshape(self.n_head, -1)):
                scores = [float(query @ k[p]) for p in range(t + 1)]
                best = [max(scores[b * self.size :][: self.size]) for b in range(own + 1)]
                order = sorted(range(own + 1), key=lambda b: (b <= own - self.n_local, -best[b], b))
                for b in order[: self.n_top]:
                    seen[t, h, b * self.size : min((b + 1) * self.size, t + 1)] = True
        return seen.reshape(n, -1)


def cpu_rows(
    chooser: Chooser, x: Floats, steps: Steps, n_slots: int = 4, backend: CpuBackend | None = None
) -> list[Floats]:
    """What each step gives on the cpu backend, from caches full of NaN."""
    paging = Paging(chooser.layout, N_CTX, n_slots)
    executor = PoisonedExecutor(chooser.build, x, chooser.layout, paging.n_blocks, chooser.kv_dtype, backend)
    found = [executor.step(paging.batch(pieces)) for pieces in steps]
    executor.close()
    return found


def reference_rows(chooser: Chooser, x: Floats, steps: Steps, n_slots: int = 4) -> list[Floats]:
    """The same on the reference backend."""
    backend, paging = ReferenceBackend(), Paging(chooser.layout, N_CTX, n_slots)
    model = TableModel(chooser.build(backend), backend.embedding(tensor(x)), chooser.layout)
    executor = backend.executor(model, table_limits(x, paging.n_blocks, chooser.kv_dtype))
    return [executor.step(paging.batch(pieces)).copy() for pieces in steps]
