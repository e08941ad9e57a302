"""Rows of an embedding table are read from the file, and its pages do not stay in memory."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.batches import Paging, Piece
from helpers.cpu import N_CTX, TableModel, cpu_backend, tensor

from rushlight.backends.base import Limits
from rushlight.backends.cache import AttentionCache, CacheLayout
from rushlight.backends.cpu.executor import MOST_ROWS_KEPT
from rushlight.gguf import GGMLType, open_gguf
from rushlight.gguf.writer import write_gguf

N_ROWS, N_COLUMNS = 4096, 1024
LAYOUT = CacheLayout.of((AttentionCache(1, 8, 8),))


def resident_bytes(path: Path) -> int:
    """How much of a mapped file this process has in memory."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if not line.split(" ")[0].endswith(":"):
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/smaps")
def test_pages_of_looked_up_rows_are_given_back(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((N_ROWS, N_COLUMNS), np.float32)
    path = tmp_path / "model.gguf"
    write_gguf(
        path,
        {"general.architecture": "none"},
        [("t", GGMLType.F32, values.shape, values.view(np.uint8))],
    )
    backend, paging = cpu_backend(2), Paging(LAYOUT, N_CTX, 1)
    with open_gguf(path) as file:
        tables = [backend.embedding(each) for each in (file.tensors["t"], tensor(values))]
        limits = Limits(512, 1, 512, N_CTX, paging.n_blocks, "f16")
        models = [TableModel(lambda ops, x: ops.outputs(x), table, LAYOUT) for table in tables]
        mapped, in_memory = (backend.executor(model, limits) for model in models)
        rows = np.random.default_rng(1).permutation(N_ROWS)

        def step(first: int, n: int) -> None:
            batch = paging.batch([Piece(rows[first : first + n].tolist(), 0, 0)])
            np.testing.assert_array_equal(mapped.step(batch), in_memory.step(batch))

        file.tensors["t"].release()
        before = resident_bytes(path)
        step(0, MOST_ROWS_KEPT)
        assert resident_bytes(path) - before >= MOST_ROWS_KEPT * 4096  # which may still be looked up again
        step(MOST_ROWS_KEPT, 1)
        assert resident_bytes(path) <= before
        for first in range(2 * (MOST_ROWS_KEPT + 1)):
            step(100 + first, 1)
        assert resident_bytes(path) <= before
        step(1000, 500)
        assert resident_bytes(path) <= before
