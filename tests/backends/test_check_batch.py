"""Every way in which a batch can be wrong is found before it is followed."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from helpers.batches import Paging, Piece, int32

from rushlight.backends.base import Limits
from rushlight.backends.batch import Batch
from rushlight.backends.cache import AttentionCache, CacheLayout, RecurrentCache
from rushlight.backends.check import check_batch
from rushlight.errors import InvalidParameter

N_CTX, N_VOCAB = 128, 50
LAYOUT = CacheLayout.of((AttentionCache(1, 2, 2), AttentionCache(1, 2, 2, window=20), RecurrentCache((3,))))
PAGING = Paging(LAYOUT, N_CTX, 2)
LIMITS = Limits(16, 2, 4, N_CTX, PAGING.n_blocks)
PIECES = [Piece([1, 2, 3], start=62, slot=0), Piece([4, 5], start=0, slot=1)]


def good() -> Batch:
    batch = PAGING.batch(PIECES, outputs=[2, 4])
    states = int32([[1], [0]])
    return dataclasses.replace(batch, block_tables=(*batch.block_tables[:2], states))


def check(batch: Batch, limits: Limits = LIMITS) -> None:
    check_batch(batch, limits, LAYOUT, N_VOCAB)


def test_a_good_batch_passes() -> None:
    check(good())
    check(dataclasses.replace(good(), outputs=int32([])))


def test_blocks_slid_out_of_a_window_may_be_missing() -> None:
    assert good().block_tables[1][0, 0] == -1
    assert good().block_tables[0][0, 0] >= 0


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("token_ids", [1, 2, 3, 4, 50], "token_ids of a batch holds 50"),
        ("token_ids", [1, 2, 3, -1, 5], "token_ids of a batch holds -1"),
        ("token_ids", [1, 2, 3, 4], "same length"),
        ("positions", [62, 63, 64, 0], "same length"),
        ("positions", [62, 64, 65, 0, 1], "consecutive"),
        ("positions", [126, 127, 128, 0, 1], "positions of a batch holds 128"),
        ("positions", [-1, 0, 1, 0, 1], "positions of a batch holds -1"),
        ("positions", [2**31 - 2, 2**31 - 1, -(2**31), 0, 1], "consecutive"),
        ("token_seq", [0, 0, 1, 1, 1], "token_seq"),
        ("token_seq", [0, 0, 0, 1], "same length"),
        ("query_start", [0, 3, 4], "query_start"),
        ("query_start", [1, 3, 5], "query_start"),
        ("query_start", [0, 5, 5], "query_start"),
        ("query_start", [0, 6, 5], "query_start"),
        ("query_start", [0, 5], "row for each sequence"),
        ("query_start", [0], "0 sequences"),
        ("query_start", [], "-1 sequences"),
        ("query_start", [0, 1, 2, 5], "3 sequences"),
        ("outputs", [4, 2], "ascend"),
        ("outputs", [2, 2], "ascend"),
        ("outputs", [5], "outputs of a batch holds 5"),
        ("outputs", [-1], "outputs of a batch holds -1"),
        ("outputs", [0, 1, 2, 3, 4], "5 outputs"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: list[int], words: str) -> None:
    with pytest.raises(InvalidParameter, match=re.escape(words)):
        check(dataclasses.replace(good(), **{field: int32(value)}))


@pytest.mark.parametrize(
    "wrong", [np.zeros(5, np.int64), np.zeros((5, 1), np.int32), np.zeros(10, np.int32)[::2]]
)
def test_arrays_have_the_layout_that_kernels_expect(wrong: Any) -> None:
    with pytest.raises(InvalidParameter, match="C-contiguous"):
        check(dataclasses.replace(good(), token_ids=wrong))


def tables(g: int, change: Any) -> Batch:
    changed = [table.copy() for table in good().block_tables]
    changed[g] = change(changed[g])
    return dataclasses.replace(good(), block_tables=tuple(changed))


def put(row: int, column: int, value: int) -> Any:
    def change(table: Any) -> Any:
        table[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("g", "change", "words"),
    [
        (0, put(0, 0, -1), "block_tables[0] of a batch holds -1"),
        (0, put(0, 2, 8), "block_tables[0] of a batch holds 8"),
        (1, put(0, 1, -1), "block_tables[1] of a batch holds -1"),
        (2, put(1, 0, 8), "block_tables[2] of a batch holds 8"),
        (2, put(1, 0, 1), "written twice"),
        (0, lambda table: put(1, 0, int(table[0, 2]))(table), "written twice"),
        (0, lambda table: int32(table[:, :2]), "no column for position 64"),
        (2, lambda table: int32(table[:, :0]), "no column"),
        (0, lambda table: table[:1], "row for each sequence"),
        (0, lambda table: table.astype(np.int64), "C-contiguous"),
    ],
)
def test_a_wrong_block_table_is_named(g: int, change: Any, words: str) -> None:
    with pytest.raises(InvalidParameter, match=re.escape(words)):
        check(tables(g, change))


def test_the_number_of_tables_is_the_number_of_groups() -> None:
    with pytest.raises(InvalidParameter, match="2 block tables; the model needs 3"):
        check(dataclasses.replace(good(), block_tables=good().block_tables[:2]))


@pytest.mark.parametrize(
    ("limit", "words"),
    [({"n_tokens": 4}, "5 tokens"), ({"n_sequences": 1}, "2 sequences"), ({"n_ctx": 64}, "holds 64")],
)
def test_limits_hold(limit: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        check(good(), dataclasses.replace(LIMITS, **limit))
