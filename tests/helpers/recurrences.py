"""Ops with a state as models of their own: each token's inputs are a row of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from helpers.batches import Paging, Piece
from helpers.cpu import POISON, Build, Floats, PoisonedExecutor, TableModel, table_limits, tensor

from rushlight.backends.cache import CacheLayout, RecurrentCache
from rushlight.backends.cpu import CpuBackend
from rushlight.backends.reference import ReferenceBackend

N_CTX = 256
Steps = Sequence[Sequence[Piece]]


def piece(slot: int, start: int, stop: int) -> Piece:
    """Tokens of a sequence; those of slot s are rows ``64 * s`` onwards of the table."""
    return Piece(range(64 * slot + start, 64 * slot + stop), start, slot)


RAGGED: Steps = [
    [piece(0, 0, 37), piece(1, 0, 2), piece(2, 0, 1), piece(3, 0, 64)],
    [piece(2, 1, 2), piece(0, 37, 38), piece(1, 2, 50)],
    [piece(0, 38, 64), piece(2, 2, 5)],
    [piece(1, 50, 51), piece(2, 5, 64)],
    [piece(1, 51, 64)],
]
"""Prompts, chunks and single tokens of four sequences of 64."""
WHOLE: Steps = [[piece(slot, 0, 64)] for slot in (2, 0, 3, 1)]
TOGETHER: Steps = [[piece(slot, 0, 64) for slot in range(4)]]


def _by_slot(steps: Steps, results: Sequence[Floats]) -> Floats:
    rows = np.empty((256, results[0].shape[1]), np.float32)
    for pieces, found in zip(steps, results, strict=True):
        rows[[token for piece in pieces for token in piece.ids]] = found
    return rows


def cpu_steps(
    build: Build, x: Floats, spec: RecurrentCache, steps: Steps, backend: CpuBackend | None = None
) -> Floats:
    """The op for 4 sequences of 64 rows, taken in steps; every state and activation is NaN at first."""
    layout = CacheLayout.of((spec,))
    paging = Paging(layout, N_CTX, 4)
    executor = PoisonedExecutor(build, x, layout, paging.n_blocks, backend=backend)
    rows = _by_slot(steps, [executor.step(paging.batch(pieces)) for pieces in steps])
    used = paging.tables[0][:, 0]
    for region in executor.kv_regions.values():
        states = region.reshape(paging.n_blocks[0], len(region) // paging.n_blocks[0])
        assert (np.delete(states, used, axis=0) == POISON).all(), "a state of no sequence changed"
    executor.close()
    return rows


def reference_steps(build: Build, x: Floats, spec: RecurrentCache, steps: Steps) -> Floats:
    """`cpu_steps` on the reference backend."""
    layout, backend = CacheLayout.of((spec,)), ReferenceBackend()
    paging = Paging(layout, N_CTX, 4)
    model = TableModel(build(backend), backend.embedding(tensor(x)), layout)
    executor = backend.executor(model, table_limits(x, paging.n_blocks))
    for pool in executor._pools:
        for array in vars(pool).values():
            array[:] = np.nan
    return _by_slot(steps, [executor.step(paging.batch(pieces)).copy() for pieces in steps])
