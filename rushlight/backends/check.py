"""Check a batch before a backend follows its indices: a bad one must raise, never read or write elsewhere.

It runs before every step, most of which have one token: lists are quicker than NumPy on short arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from rushlight.backends.base import Limits
from rushlight.backends.batch import Batch, Int32Array
from rushlight.backends.cache import BLOCK_TOKENS, CacheGroup, CacheLayout
from rushlight.drawing import MOST_OF_TOP, Draw
from rushlight.errors import InvalidParameter

_INT32, _UINT32 = np.dtype(np.int32), np.dtype(np.uint32)
_largest = np.maximum.reduce


def check_batch(batch: Batch, limits: Limits, layout: CacheLayout, n_vocab: int) -> None:
    """Check that a batch is what `Batch` says, fits the limits and stays inside the caches.

    Raises:
        InvalidParameter: the first thing wrong with it.
    """
    for name, array, n_dimensions in _arrays(batch):
        if array.dtype != _INT32 or array.ndim != n_dimensions or not array.flags.c_contiguous:
            raise InvalidParameter(
                f"{name} of a batch must be C-contiguous int32 of {n_dimensions} dimensions."
            )
    _check_sizes(batch, limits, layout)
    positions, starts = batch.positions.tolist(), batch.query_start.tolist()
    _check_sequences(batch, positions, starts)
    check_range("token_ids", batch.token_ids.tolist(), n_vocab)
    check_range("positions", positions, limits.n_ctx)
    outputs = batch.outputs.tolist()
    check_range("outputs", outputs, batch.n_tokens)
    if len(outputs) > 1 and any(a >= b for a, b in pairwise(outputs)):
        raise InvalidParameter("outputs of a batch must ascend.")
    spans = [(positions[start], positions[stop - 1]) for start, stop in pairwise(starts)]
    for g, group in enumerate(layout.groups):
        _check_blocks(batch.block_tables[g], spans, g, group, limits.n_blocks[g])


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


def _check_sequences(batch: Batch, positions: list[int], starts: list[int]) -> None:
    """Each sequence has tokens, neighbours in the batch, at consecutive positions."""
    if starts[0] != 0 or starts[-1] != len(positions) or any(a >= b for a, b in pairwise(starts)):
        raise InvalidParameter("query_start of a batch must ascend from 0 to the number of tokens.")
    token_seq = batch.token_seq.tolist()
    for s, (start, stop) in enumerate(pairwise(starts)):
        if token_seq[start:stop] != [s] * (stop - start):
            raise InvalidParameter("token_seq of a batch must name the sequences that query_start delimits.")
        first = positions[start]
        if positions[start:stop] != list(range(first, first + stop - start)):
            raise InvalidParameter("positions of a batch must be consecutive within a sequence.")


def _check_blocks(
    table: Int32Array, spans: list[tuple[int, int]], g: int, group: CacheGroup, n_blocks: int
) -> None:
    """Every block that the step reads or writes exists, and no two sequences write the same one.

    Args:
        table: block table g of the batch.
        spans: first and last position of each sequence's tokens.
        g, group, n_blocks: the cache group.
    """
    written: list[int] = []
    for s, span in enumerate(spans):
        first, last = (0, 0) if group.recurrent else span
        oldest = max(0, first - group.window + 1) if group.window else 0
        end = last // BLOCK_TOKENS + 1
        if table.shape[1] < end:
            raise InvalidParameter(f"block_tables[{g}] of a batch has no column for position {last}.")
        read = table[s, oldest // BLOCK_TOKENS : end]
        # Read as unsigned, a negative number is beyond every limit.
        if _largest(read.view(_UINT32)) >= n_blocks:
            check_range(f"block_tables[{g}]", read.tolist(), n_blocks)
        written += table[s, first // BLOCK_TOKENS : end].tolist()
    if len(set(written)) != len(written):
        raise InvalidParameter(f"block_tables[{g}] of a batch lets one block be written twice in a step.")


def check_blocks(limits: Limits, group: int, *blocks: int) -> None:
    """Raises InvalidParameter where a cache group, or one of its blocks, does not exist."""
    n_blocks = limits.n_blocks[group] if 0 <= group < len(limits.n_blocks) else 0
    if not all(0 <= block < n_blocks for block in blocks):
        named = " and ".join(map(str, blocks))
        raise InvalidParameter(f"Cache group {group} has {n_blocks} blocks, not {named}.")


def check_content(content: bytes, n_bytes: int, group: int) -> None:
    """Raises InvalidParameter where what a block is to hold has not the size of a block."""
    if len(content) != n_bytes:
        raise InvalidParameter(f"A block of cache group {group} has {n_bytes} bytes, not {len(content)}.")


def check_range(name: str, values: list[int], stop: int) -> None:
    """Raises InvalidParameter where a value of an array of a batch is not 0 to ``stop - 1``."""
    if values and (min(values) < 0 or max(values) >= stop):
        wrong = next(value for value in values if not 0 <= value < stop)
        raise InvalidParameter(f"{name} of a batch holds {wrong}; it must be 0 to {stop - 1}.")


def check_draws(draws: Sequence[Draw | None], n_steps: int, n_sequences: int) -> None:
    """Check that there is a draw for each sequence, with a number for each step; or none at all.

    Raises:
        InvalidParameter: there is not.
    """
    if draws and len(draws) != n_sequences:
        raise InvalidParameter(f"There are {len(draws)} draws for {n_sequences} sequences.")
    for draw in draws:
        if draw is None:
            continue
        if len(draw.numbers) != n_steps or not draw.temperature > 0:
            raise InvalidParameter(
                f"A draw has {len(draw.numbers)} numbers and the temperature {draw.temperature}; expected "
                f"{n_steps}, one for each step, and a positive temperature."
            )
        cuts = draw.top_p < 1 or draw.min_p > 0
        if not cuts <= draw.top_k <= MOST_OF_TOP:
            raise InvalidParameter(
                f"A draw has the top_k {draw.top_k}; expected {int(cuts)} to {MOST_OF_TOP}."
            )
