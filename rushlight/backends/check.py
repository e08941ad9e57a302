"""Check a batch before a backend follows its indices: a bad one must raise, never read or write elsewhere.

It runs before every step, so it avoids the NumPy functions that cost more than the check.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rushlight.backends.base import Limits
from rushlight.backends.batch import Batch, Int32Array
from rushlight.backends.cache import BLOCK_TOKENS, CacheGroup, CacheLayout
from rushlight.errors import InvalidParameter


def check_batch(batch: Batch, limits: Limits, layout: CacheLayout, n_vocab: int) -> None:
    """Check that a batch is what `Batch` says, fits the limits and stays inside the caches.

    Raises:
        InvalidParameter: the first thing wrong with it.
    """
    for name, array, n_dimensions in _arrays(batch):
        if array.dtype != np.int32 or array.ndim != n_dimensions or not array.flags.c_contiguous:
            raise InvalidParameter(
                f"{name} of a batch must be C-contiguous int32 of {n_dimensions} dimensions."
            )
    _check_sizes(batch, limits, layout)
    _check_sequences(batch)
    _check_range("token_ids", batch.token_ids, n_vocab)
    _check_range("positions", batch.positions, limits.n_ctx)
    _check_range("outputs", batch.outputs, batch.n_tokens)
    if (batch.outputs[1:] <= batch.outputs[:-1]).any():
        raise InvalidParameter("outputs of a batch must ascend.")
    for g, group in enumerate(layout.groups):
        _check_blocks(batch, g, group, limits.n_blocks[g])


def _arrays(batch: Batch) -> Iterator[tuple[str, Int32Array, int]]:
    """Every array of a batch, its name, and the dimensions that it must have."""
    yield "token_ids", batch.token_ids, 1
    yield "positions", batch.positions, 1
    yield "token_seq", batch.token_seq, 1
    yield "query_start", batch.query_start, 1
    yield "outputs", batch.outputs, 1
    for g, table in enumerate(batch.block_tables):
        yield f"block_tables[{g}]", table, 2


def _check_sizes(batch: Batch, limits: Limits, layout: CacheLayout) -> None:
    """Lengths that must agree, and the limits that the buffers were made for."""
    sizes = (
        ("tokens", batch.n_tokens, 1, limits.n_tokens),
        ("sequences", batch.n_sequences, 1, limits.n_sequences),
        ("outputs", len(batch.outputs), 0, limits.n_outputs),
    )
    for name, size, low, high in sizes:
        if not low <= size <= high:
            raise InvalidParameter(f"A batch has {size} {name}; this executor takes {low} to {high}.")
    if not batch.n_tokens == len(batch.positions) == len(batch.token_seq):
        raise InvalidParameter("token_ids, positions and token_seq of a batch must have the same length.")
    if len(batch.block_tables) != len(layout.groups):
        raise InvalidParameter(
            f"A batch has {len(batch.block_tables)} block tables; the model needs {len(layout.groups)}."
        )
    for g, table in enumerate(batch.block_tables):
        if len(table) != batch.n_sequences:
            raise InvalidParameter(f"block_tables[{g}] of a batch must have a row for each sequence.")


def _check_sequences(batch: Batch) -> None:
    """Each sequence has tokens, neighbours in the batch, at consecutive positions."""
    start, sequence, position = batch.query_start, batch.token_seq, batch.positions
    lengths = start[1:] - start[:-1]
    if start[0] != 0 or start[-1] != batch.n_tokens or lengths.min() <= 0:
        raise InvalidParameter("query_start of a batch must ascend from 0 to the number of tokens.")
    if (sequence != np.arange(batch.n_sequences).repeat(lengths)).any():
        raise InvalidParameter("token_seq of a batch must name the sequences that query_start delimits.")
    # Not the difference of positions, which could overflow.
    follows = position[1:] == position[:-1].astype(np.int64) + 1
    if not (follows | (sequence[1:] != sequence[:-1])).all():
        raise InvalidParameter("positions of a batch must be consecutive within a sequence.")


def _check_blocks(batch: Batch, g: int, group: CacheGroup, n_blocks: int) -> None:
    """Every block that the step reads or writes exists, and no two sequences write the same one."""
    table = batch.block_tables[g]
    start = batch.query_start.tolist()
    written: list[int] = []
    for s in range(batch.n_sequences):
        first, last = int(batch.positions[start[s]]), int(batch.positions[start[s + 1] - 1])
        oldest = max(0, first - group.window + 1) if group.window else 0
        if group.recurrent:
            oldest = first = last = 0
        if table.shape[1] <= last // BLOCK_TOKENS:
            raise InvalidParameter(f"block_tables[{g}] of a batch has no column for position {last}.")
        read = table[s, oldest // BLOCK_TOKENS : last // BLOCK_TOKENS + 1]
        _check_range(f"block_tables[{g}]", read, n_blocks)
        written += table[s, first // BLOCK_TOKENS : last // BLOCK_TOKENS + 1].tolist()
    if len(set(written)) != len(written):
        raise InvalidParameter(f"block_tables[{g}] of a batch lets one block be written twice in a step.")


def _check_range(name: str, values: Int32Array, stop: int) -> None:
    # Read as unsigned, a negative number is beyond every limit.
    if len(values) and values.view(np.uint32).max() >= stop:
        wrong = values[(values < 0) | (values >= stop)][0]
        raise InvalidParameter(f"{name} of a batch holds {wrong}; it must be 0 to {stop - 1}.")
