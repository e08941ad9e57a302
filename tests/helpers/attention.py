"""Attention as a model of its own: each token's queries, keys and values are a row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from helpers.batches import Paging, Piece
from helpers.cpu import Build, Floats, Forward, PoisonedExecutor, TableModel, randn, table_limits, tensor

from rushlight.backends.base import Backend, Executor, Ops, Tensor
from rushlight.backends.cache import AttentionCache, CacheLayout
from rushlight.backends.cpu import CpuBackend
from rushlight.backends.reference import ReferenceBackend

N_CTX = 1024
Steps = Sequence[Sequence[Piece]]


@dataclass(frozen=True)
class Heads:
    """Shapes and options of an attention op."""

    n_head: int
    n_head_kv: int
    head_dim_k: int
    head_dim_v: int = 0
    window: int = 0
    softcap: float = 0.0
    kv_dtype: str = "f16"
    sinks: tuple[float, ...] = ()
    chunked: bool = False
    ahead: int = 0
    slopes: tuple[float, ...] = ()

    def __str__(self) -> str:
        """The id of a parameter."""
        size = f"{self.head_dim_k}" + (f"to{self.head_dim_v}" if self.head_dim_v else "")
        return (
            f"{self.n_head}over{self.n_head_kv}heads{size}-window{self.window}-cap{self.softcap:.0f}"
            + "-sinks" * bool(self.sinks)
            + "-chunked" * self.chunked
            + f"-ahead{self.ahead}" * bool(self.ahead)
            + "-slopes" * bool(self.slopes)
        )

    @property
    def spec(self) -> AttentionCache:
        return AttentionCache(
            self.n_head_kv,
            self.head_dim_k,
            self.head_dim_v or self.head_dim_k,
            self.window,
            self.chunked,
            self.ahead,
        )

    @property
    def layout(self) -> CacheLayout:
        return CacheLayout.of((self.spec,))

    @property
    def parts(self) -> tuple[int, int, int]:
        """Columns of queries, keys and values."""
        spec = self.spec
        return (
            self.n_head * spec.head_dim_k,
            spec.n_head_kv * spec.head_dim_k,
            spec.n_head_kv * spec.head_dim_v,
        )

    def table(self, n_rows: int = 256, seed: int = 0) -> Floats:
        return randn(n_rows, sum(self.parts), seed=seed)

    def split(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Views of the queries, keys and values of a table."""
        n_q, n_k, _ = self.parts
        return x[:, :n_q], x[:, n_q : n_q + n_k], x[:, n_q + n_k :]

    @property
    def build(self) -> Build:
        n_q, n_k, n_v = self.parts
        scale = self.head_dim_k**-0.5

        def build(backend: Backend) -> Forward:
            sinks, slopes = (backend.vector(tensor(v)) if v else None for v in (self.sinks, self.slopes))

            def forward(ops: Ops, x: Tensor) -> Tensor:
                q, k, v = x.columns(0, n_q), x.columns(n_q, n_q + n_k), x.columns(n_q + n_k, n_q + n_k + n_v)
                return ops.attention(q, k, v, 0, scale, self.softcap, sinks, slopes)

            return forward

        return build


class Attention:
    """Cpu executor of an attention op, with block tables in no order for `n_slots` sequences."""

    def __init__(
        self,
        heads: Heads,
        x: Floats,
        n_slots: int = 4,
        seed: int = 0,
        backend: CpuBackend | None = None,
        clear: bool = False,
    ) -> None:
        """Args: `clear` starts from a cache of zeros; otherwise it is full of NaN."""
        self.paging = Paging(heads.layout, N_CTX, n_slots, seed)
        self.poisoned = PoisonedExecutor(
            heads.build, x, heads.layout, self.paging.n_blocks, heads.kv_dtype, backend
        )
        if clear:
            for region in self.poisoned.kv_regions.values():
                region[:] = 0

    def step(self, pieces: Sequence[Piece]) -> Floats:
        return self.poisoned.step(self.paging.batch(pieces))

    def close(self) -> None:
        self.poisoned.close()


def reference_attention(heads: Heads, x: Floats, n_slots: int = 4) -> tuple[Executor, Paging]:
    """The same on the reference backend."""
    backend, paging = ReferenceBackend(), Paging(heads.layout, N_CTX, n_slots)
    model = TableModel(heads.build(backend), backend.embedding(tensor(x)), heads.layout)
    return backend.executor(model, table_limits(x, paging.n_blocks, heads.kv_dtype)), paging


def run_steps(attention: Attention, steps: Steps) -> dict[int, Floats]:
    """Every row of each sequence, joined over the steps: {slot: [positions, columns]}."""
    rows: dict[int, list[Floats]] = {}
    for pieces in steps:
        found = attention.step(pieces)
        ends = np.cumsum([len(piece.ids) for piece in pieces])
        for piece, part in zip(pieces, np.split(found, ends[:-1]), strict=True):
            rows.setdefault(piece.slot, []).append(part)
    return {slot: np.concatenate(parts) for slot, parts in rows.items()}
