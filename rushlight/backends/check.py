"""Check a batch before a backend follows its indices: a bad one must raise, never read or write elsewhere."""

from __future__ import annotations

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
    tables = dict(enumerate(batch.block_tables))
    arrays = {
        "token_ids": (batch.token_ids, 1),
        "positions": (batch.positions, 1),
        "token_seq": (batch.token_seq, 1),
        "query_start": (batch.query_start, 1),
        "outputs": (batch.outputs, 1),
        **{f"block_tables[{g}]": (table, 2) for g, table in tables.items()},
    }
    for name, (array, n_dimensions) in arrays.items():
        if array.dtype != np.int32 or array.ndim != n_dimensions or not array.flags.c_contiguous:
            raise InvalidParameter(
                f"{name} of a batch must be C-contiguous int32 of {n_dimensions} dimensions."
            )
    _check_sizes(batch, limits, layout)
    _check_sequences(batch)
    _check_range("token_ids", batch.token_ids, n_vocab)
    _check_range("positions", batch.positions, limits.n_ctx)
    _check_range("outputs", batch.outputs, batch.n_tokens)
    if np.any(np.diff(batch.outputs) <= 0):
        raise InvalidParameter("outputs of a batch must ascend.")
    for g, group in enumerate(layout.groups):
        _check_blocks(batch, g, group, limits.n_blocks[g])


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
    lengths = np.diff(batch.query_start)
    ends_meet = batch.query_start[0] == 0 and batch.query_start[-1] == batch.n_tokens
    if not ends_meet or np.any(lengths <= 0):
        raise InvalidParameter("query_start of a batch must ascend from 0 to the number of tokens.")
    if not np.array_equal(batch.token_seq, np.repeat(np.arange(len(lengths)), lengths)):
        raise InvalidParameter("token_seq of a batch must name the sequences that query_start delimits.")
    inside = np.diff(batch.token_seq) == 0
    if np.any(np.diff(batch.positions.astype(np.int64))[inside] != 1):
        raise InvalidParameter("positions of a batch must be consecutive within a sequence.")


def _check_blocks(batch: Batch, g: int, group: CacheGroup, n_blocks: int) -> None:
    """Every block that the step reads or writes exists, and no two sequences write the same one."""
    table = batch.block_tables[g]
    first = batch.positions[batch.query_start[:-1]]
    last = batch.positions[batch.query_start[1:] - 1]
    oldest = np.maximum(0, first - group.window + 1) if group.window else np.zeros_like(first)
    written: list[Int32Array] = []
    for s in range(batch.n_sequences):
        read = (
            slice(0, 1) if group.recurrent else slice(oldest[s] // BLOCK_TOKENS, last[s] // BLOCK_TOKENS + 1)
        )
        if table.shape[1] < read.stop:
            raise InvalidParameter(f"block_tables[{g}] of a batch has no column for position {last[s]}.")
        _check_range(f"block_tables[{g}]", table[s, read], n_blocks)
        start = 0 if group.recurrent else first[s] // BLOCK_TOKENS
        written.append(table[s, start : read.stop])
    blocks = np.concatenate(written)
    if len(np.unique(blocks)) != len(blocks):
        raise InvalidParameter(f"block_tables[{g}] of a batch lets one block be written twice in a step.")


def _check_range(name: str, values: Int32Array, stop: int) -> None:
    if len(values) and (values.min() < 0 or values.max() >= stop):
        wrong = values[(values < 0) | (values >= stop)][0]
        raise InvalidParameter(f"{name} of a batch holds {wrong}; it must be 0 to {stop - 1}.")
