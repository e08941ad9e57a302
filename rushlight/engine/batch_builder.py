"""Scheduled chunks to the flat arrays that a backend takes."""

from __future__ import annotations

from array import array

import numpy as np

from rushlight.backends.batch import Batch, Int32Array
from rushlight.engine.kv_blocks import NO_BLOCK
from rushlight.engine.scheduler import Chunk


def build_batch(chunks: list[Chunk]) -> Batch:
    """The batch of a step; sequence s of it is that of chunk s.

    Args:
        chunks: at least one, none empty; their sequences hold the blocks for them.
    """
    token_ids: list[int] = []
    positions: list[int] = []
    token_seq: list[int] = []
    query_start = [0]
    outputs: list[int] = []
    for s, (sequence, start, stop, n_outputs) in enumerate(chunks):
        token_ids += sequence.token_ids[start:stop]
        positions += range(start, stop)
        token_seq += [s] * (stop - start)
        n_tokens = len(token_ids)
        query_start.append(n_tokens)
        outputs += range(n_tokens - n_outputs, n_tokens)
    tables = zip(*[chunk.sequence.block_tables for chunk in chunks], strict=True)
    return Batch(
        token_ids=np.array(token_ids, np.int32),
        positions=np.array(positions, np.int32),
        token_seq=np.array(token_seq, np.int32),
        query_start=np.array(query_start, np.int32),
        block_tables=tuple([_rectangle(group) for group in tables]),
        outputs=np.array(outputs, np.int32),
    )


def _rectangle(tables: tuple[array[int], ...]) -> Int32Array:
    """Block tables of one group, filled up to the longest."""
    if len(tables) == 1:
        return np.array(tables, np.int32)
    rectangle = np.full((len(tables), max(map(len, tables))), NO_BLOCK, np.int32)
    for row, table in zip(rectangle, tables, strict=True):
        row[: len(table)] = table
    return rectangle
