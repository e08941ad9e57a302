"""Batches and executors for tests: sequences whose blocks lie scattered over the caches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rushlight.backends.base import Backend, Executor, Limits, Model
from rushlight.backends.batch import Batch
from rushlight.backends.cache import BLOCK_TOKENS, CacheLayout

TESTS = Path(__file__).parents[1]
TINY = TESTS / "data" / "tiny"
GOLDENS = TESTS / "goldens" / "logits"
GOLDEN_NAMES = sorted(path.stem for path in GOLDENS.glob("*.npz"))


@dataclass(frozen=True)
class Golden:
    """llama.cpp's logits of one sequence; tests/goldens/make_logits.py says what each field holds."""

    path: Path
    n_ctx: int
    ids: list[int]
    positions: NDArray[np.int32]
    logits: NDArray[np.float32]
    exact: NDArray[np.float32]


def load_golden(name: str) -> Golden:
    """The golden of a case."""
    with np.load(GOLDENS / f"{name}.npz") as golden:
        case = json.loads(str(golden["metadata"]))
        return Golden(
            path=TINY / f"{case['model']}.gguf",
            n_ctx=case["n_ctx"],
            ids=golden["ids"].tolist(),
            positions=golden["positions"],
            logits=golden["logits"],
            exact=golden["exact"],
        )


@dataclass(frozen=True)
class Piece:
    """Some tokens of one sequence in a step: `slot` tells sequences apart, `start` is the first position."""

    ids: Sequence[int]
    start: int = 0
    slot: int = 0


def int32(values: Any) -> NDArray[np.int32]:
    return np.ascontiguousarray(values, np.int32)


class Paging:
    """Block tables for `n_slots` sequences of up to `n_ctx` positions, in an order that is no order."""

    def __init__(self, layout: CacheLayout, n_ctx: int, n_slots: int = 1, seed: int = 0) -> None:
        self.layout = layout
        self.n_columns = -(-n_ctx // BLOCK_TOKENS)
        rng = np.random.default_rng(seed)
        n_blocks = n_slots * self.n_columns
        self.n_blocks = (n_blocks,) * len(layout.groups)
        self.tables = [rng.permutation(n_blocks).reshape(n_slots, -1) for _ in layout.groups]

    def batch(self, pieces: Sequence[Piece], outputs: Sequence[int] | None = None) -> Batch:
        """One step of some pieces; blocks not needed are -1. `outputs` defaults to every token."""
        lengths = [len(piece.ids) for piece in pieces]
        n_tokens = sum(lengths)
        return Batch(
            token_ids=int32([token for piece in pieces for token in piece.ids]),
            positions=int32([piece.start + i for piece in pieces for i in range(len(piece.ids))]),
            token_seq=int32(np.repeat(np.arange(len(pieces)), lengths)),
            query_start=int32(np.cumsum([0, *lengths])),
            block_tables=tuple(self._table(g, pieces) for g in range(len(self.tables))),
            outputs=int32(range(n_tokens) if outputs is None else outputs),
        )

    def _table(self, g: int, pieces: Sequence[Piece]) -> NDArray[np.int32]:
        table = np.full((len(pieces), self.n_columns), -1)
        window = self.layout.groups[g].window
        for row, piece in zip(table, pieces, strict=True):
            oldest = max(0, piece.start - window + 1) if window else 0
            if self.layout.groups[g].recurrent:
                row[0] = self.tables[g][piece.slot, 0]
                continue
            needed = slice(oldest // BLOCK_TOKENS, (piece.start + len(piece.ids) - 1) // BLOCK_TOKENS + 1)
            row[needed] = self.tables[g][piece.slot, needed]
        return int32(table)


def open_executor(
    backend: Backend, model: Model, n_ctx: int, n_slots: int = 1, kv_dtype: str = "f32"
) -> tuple[Executor, Paging]:
    """An executor with room for `n_slots` sequences of `n_ctx` positions, all in one step."""
    paging = Paging(model.cache, n_ctx, n_slots)
    n_tokens = n_slots * n_ctx
    limits = Limits(n_tokens, n_slots, n_tokens, n_ctx, paging.n_blocks, kv_dtype)
    return backend.executor(model, limits), paging


def relative(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Norm of the difference over the norm of what was expected."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
