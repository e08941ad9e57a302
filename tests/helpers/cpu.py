"""Single ops through the cpu backend's own recorder, with all memory that a step may not rely on poisoned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from helpers.batches import int32
from numpy.typing import NDArray

from rushlight.backends.base import Backend, Limits, Ops, Tensor, Weight
from rushlight.backends.batch import Batch
from rushlight.backends.cache import CacheLayout
from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.recording import OUTPUTS, TOKENS
from rushlight.backends.cpu.target import Target, detect_target
from rushlight.backends.reference import ReferenceBackend
from rushlight.errors import InvalidParameter
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.quants import quantize

Floats = NDArray[np.float32]
Forward = Callable[[Ops, Tensor], Tensor]
Build = Callable[[Backend], Forward]
"""Gives a backend its weights; the result computes [T or R, V] from the rows of the input table."""

NO_CACHE = CacheLayout.of(())
POISON = 0xFF  # This byte, repeated, is NaN as float32 and as half.
GUARD_ROWS = 3
N_CTX = 4096
TOKEN_COUNTS = (1, 2, 3, 4, 5, 7, 63, 64, 65, 130)


def randn(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def tensor(values: Any, type: GGMLType = GGMLType.F32) -> GGUFTensor:
    array = np.ascontiguousarray(values, np.float32)
    # `quantize` refuses infinity and NaN; as float32 they are wanted here.
    raw = array.view(np.uint8) if type is GGMLType.F32 else quantize(array, type)
    return GGUFTensor("t.weight", array.shape, type, raw)


def type_name(value: Any) -> str | None:
    """The id of a parameter that is a tensor type."""
    return value.name if isinstance(value, GGMLType) else None


@dataclass(frozen=True)
class TableModel:
    """A model whose token t has row t of a table as its activations: any input can be given to an op."""

    run: Forward
    table: Weight
    cache: CacheLayout

    @property
    def n_vocab(self) -> int:
        return self.table.shape[0]

    @property
    def n_embd(self) -> int:
        return self.table.shape[1]

    @property
    def n_ctx_train(self) -> int:
        return N_CTX

    def forward(self, ops: Ops) -> Tensor:
        return self.run(ops, ops.embed(self.table))


@cache
def cpu_backend(n_threads: int = 1) -> CpuBackend:
    return CpuBackend(n_threads)


def runs_here(target: Target) -> bool:
    """Whether this processor runs a target's code."""
    try:
        return detect_target(target.name).target == target
    except InvalidParameter:
        return False


def flat_batch(ids: Sequence[int], start: int = 0, outputs: Sequence[int] | None = None) -> Batch:
    """One sequence for a model that keeps nothing."""
    n = len(ids)
    return Batch(
        token_ids=int32(ids),
        positions=int32(np.arange(start, start + n)),
        token_seq=int32(np.zeros(n)),
        query_start=int32([0, n]),
        block_tables=(),
        outputs=int32(range(n) if outputs is None else outputs),
    )


def table_limits(x: Floats, n_blocks: tuple[int, ...] = (), kv_dtype: str = "f16") -> Limits:
    """Room for every row of `x` in one step, and for rows that no step uses."""
    n_tokens = len(x) + GUARD_ROWS
    return Limits(n_tokens, n_tokens, n_tokens, N_CTX, n_blocks, kv_dtype)


class PoisonedExecutor:
    """A `CpuExecutor` for rows of `x`; every step starts from NaN everywhere and leaves the guards alone.

    The guards are the bytes of the activations' memory that belong to no row of the step: rows past the last
    token or output, and what lies between buffers.
    """

    def __init__(
        self,
        build: Build,
        x: Floats,
        layout: CacheLayout = NO_CACHE,
        n_blocks: tuple[int, ...] = (),
        kv_dtype: str = "f16",
        backend: CpuBackend | None = None,
    ) -> None:
        backend = backend or cpu_backend()
        model = TableModel(build(backend), backend.embedding(tensor(x)), layout)
        self.executor = backend.executor(model, table_limits(x, n_blocks, kv_dtype))
        for region in self.kv_regions.values():
            region[:] = POISON

    @property
    def kv_regions(self) -> dict[tuple[int, bool], NDArray[np.uint8]]:
        """Bytes of each layer's keys (False) and values (True)."""
        return {key: region.bytes for key, region in self.executor.binding.cache._regions.items()}

    @property
    def arena(self) -> NDArray[np.uint8]:
        return self.executor.binding.arena.bytes

    def buffer(self, field: Any, n_rows: int) -> NDArray[np.uint8]:
        """The first rows of a recorded buffer: uint8 [n_rows, row bytes]."""
        return self.executor.binding.rows(field)[:n_rows]

    def step(self, batch: Batch) -> Floats:
        self.arena[:] = POISON
        self.executor.binding.scratch.bytes[:] = POISON
        self.executor.binding.workspace.bytes[:] = POISON
        found = self.executor.step(batch).copy()
        self._check_guards({TOKENS: batch.n_tokens, OUTPUTS: len(batch.outputs)})
        return found

    def _check_guards(self, n_rows: dict[int, int]) -> None:
        guard = np.ones(len(self.arena), bool)
        for buffer in self.executor.binding.recording.buffers:
            start = self.executor.binding.rows(buffer).ctypes.data - self.arena.ctypes.data
            guard[start : start + n_rows[buffer.rows] * buffer.row_bytes] = False
        assert guard.any()
        touched = np.flatnonzero(guard & (self.arena != POISON))
        assert not len(touched), f"{len(touched)} bytes outside every row changed, the first at {touched[0]}"

    def rows(self, n: int, start: int = 0) -> Floats:
        """The result for rows 0 to n - 1 of the table as one sequence from position `start`."""
        return self.step(flat_batch(range(n), start))

    def close(self) -> None:
        self.executor.close()


def cpu_rows(build: Build, x: Floats, start: int = 0, backend: CpuBackend | None = None) -> Floats:
    """The op on all rows of `x` in one step of the cpu backend."""
    executor = PoisonedExecutor(build, x, backend=backend)
    found = executor.rows(len(x), start)
    executor.close()
    return found


def reference_rows(build: Build, x: Floats, start: int = 0) -> Floats:
    """The op on all rows of `x` in one step of the reference backend."""
    backend = ReferenceBackend()
    model = TableModel(build(backend), backend.embedding(tensor(x)), NO_CACHE)
    return backend.executor(model, table_limits(x)).step(flat_batch(range(len(x)), start))


def assert_close(found: Floats, expected: Any, atol: Any, rtol: float = 0.0) -> None:
    """No NaN, and every difference within ``atol + rtol * |expected|``; `atol` may be an array."""
    assert not np.isnan(found).any(), "a poisoned number reached the result"
    excess = np.abs(found.astype(np.float64) - expected) - (atol + rtol * np.abs(expected))
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    assert excess[worst] <= 0, f"{found[worst]} at {worst}; expected {np.asarray(expected)[worst]}"
