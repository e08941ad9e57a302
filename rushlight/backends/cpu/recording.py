"""What a recorded model is made of: ops over named buffers, before any of them has an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rushlight.backends.cpu.memory import align
from rushlight.backends.cpu.scratch import SCORES, SPLIT_TOKENS, score_bytes, scratch_bytes, workspace_bytes
from rushlight.backends.cpu.weights import Table

TOKENS, OUTPUTS = 0, 1


@dataclass(eq=False)
class Buffer:
    """Memory of an op's result: rows of `row_bytes`, for the step's tokens or outputs.

    Attributes:
        rows: `TOKENS` or `OUTPUTS`.
        row_bytes: distance between rows, a multiple of the alignment.
        first, last: indices of the ops that write it and that read it last.
    """

    rows: int
    row_bytes: int
    first: int
    last: int


class Value(NamedTuple):
    """An activation: columns of a buffer. The `Tensor` of this backend."""

    buffer: Buffer
    n_columns: int
    offset: int = 0

    def columns(self, start: int, stop: int) -> Value:
        """A view of columns ``start`` to ``stop - 1``."""
        if not 0 <= start < stop <= self.n_columns:
            raise ValueError(f"columns {start} to {stop} of {self.n_columns}")
        return Value(self.buffer, stop - start, self.offset + 4 * start)


KEYS, VALUES = 0, 1
STATE, CONV = 0, 1


class CacheAddress(NamedTuple):
    """One of the two things a layer keeps, wherever the executor will put it.

    Attributes:
        layer: which.
        part: `KEYS` or `VALUES` of a layer with attention, `STATE` or `CONV` of a recurrent one.
    """

    layer: int
    part: int


Field = int | float | Buffer | Value | CacheAddress


class RecordedOp(NamedTuple):
    """A kernel and the fields of its record; addresses are filled in when memory is planned."""

    kernel: str
    fields: Mapping[str, Field]


MOST = 2**31 - 1
"""Positions and token ids are int32."""


@dataclass
class Recording:
    """What a model does in a step.

    Attributes:
        ops: in their order.
        buffers: what they write.
        keep: weights that the ops know by address only.
        tables: of embeddings, which they know by address too.
        heads: query heads and the head sizes of keys and values, of each attention.
        scratch_bytes: what a thread needs for ops other than attention.
        chooses: whether tokens choose positions, by a score for each.
        n_positions: how many positions every table of angles covers.
        n_embeddings: how many token ids every embedding table covers.
    """

    ops: list[RecordedOp] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    keep: list[object] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    heads: list[tuple[int, int, int]] = field(default_factory=list)
    scratch_bytes: int = 0
    chooses: bool = False
    n_positions: int = MOST
    n_embeddings: int = MOST

    def thread_bytes(self, n_ctx: int) -> int:
        """What a thread needs for all ops, attention's among them."""
        scores = SCORES + score_bytes(n_ctx) if self.chooses else 0
        return align(max(scratch_bytes(self.heads), self.scratch_bytes, scores))

    def workspace_bytes(self, n_ctx: int) -> int:
        """What the threads of the largest split step share."""
        scores = SPLIT_TOKENS * score_bytes(n_ctx) if self.chooses else 0
        return max(workspace_bytes(self.heads, n_ctx), scores)
