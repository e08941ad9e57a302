"""Packing: the native kernels that turn a tensor's rows into the layout of the matrix kernels.

Threads pack while the rest of the model is still being read and recorded; the one that reads joins them when
it has nothing left to do but wait. Each packs a stretch of the file of its own at a time, because two that
write side by side get in each other's way where memory is new, and gives the file's pages back after it, so
that no two copies of the weights are ever in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

import numpy as np

from rushlight.backends.cpu.layout import LANES, LAYOUTS
from rushlight.backends.cpu.memory import Region
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.records import PACK, in_program
from rushlight.backends.cpu.runtime import Team
from rushlight.backends.cpu.weights import ExpertMatrices, PackedPart, Vector
from rushlight.gguf import GGMLType, GGUFTensor

BATCH_BYTES = 16 << 20
"""How much of the file is packed at a time, at most twice: milliseconds of work, little beside a model."""

MOST_THREADS = 8
"""More would wait for the interpreter, which begins every stretch and gives its pages back."""

_POLL_SECONDS = 0.1  # Windows delivers Ctrl-C only between waits


class _Job(NamedTuple):
    """Rows `first` to ``stop - 1`` of a matrix, whole groups of them, to be packed.

    Attributes:
        kernel: address of the kernel.
        tensor: the matrix.
        region: the memory that it goes to, kept as long as it is to be written.
        target: where its first group goes.
        group_bytes: bytes of a packed group.
        n_blocks: packed blocks in a group.
        first, stop: rows.
    """

    kernel: int
    tensor: GGUFTensor
    region: Region
    target: int
    group_bytes: int
    n_blocks: int
    first: int
    stop: int

    @property
    def n_bytes(self) -> int:
        return (self.stop - self.first) * self.tensor.raw.shape[1]

    def record(self) -> tuple[int, ...]:
        """The fields of `PACK`, in order."""
        row_bytes, group = self.tensor.raw.shape[1], self.first // LANES
        source = self.tensor.address + self.first * row_bytes
        target = self.target + group * self.group_bytes
        n_groups = -(-self.stop // LANES) - group
        return self.kernel, 0, source, row_bytes, self.stop - self.first, target, n_groups, self.n_blocks


def packed_sizes(type: GGMLType, n_rows: int, n_columns: int) -> tuple[int, int, int]:
    """Of a packed matrix: its groups, the blocks in a group, and its bytes."""
    layout = LAYOUTS[type.name.lower()]
    n_groups, n_blocks = -(-n_rows // LANES), n_columns // layout.columns
    return n_groups, n_blocks, n_groups * n_blocks * layout.group_bytes


class Packer:
    """Packs matrices straight from the mapped file, in the background.

    Args:
        library: holds the kernels, or will.
        n_threads: to pack with, at most `MOST_THREADS`; of several, the last is the one that waits.
    """

    def __init__(self, library: KernelLibrary, n_threads: int) -> None:
        self._library, self._n_threads = library, min(n_threads, MOST_THREADS)
        self._reset()

    def _reset(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._finished = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._cancelled = False

    def pack(self, tensor: GGUFTensor) -> PackedPart:
        """Begin to pack a matrix [N, K]; its reader has checked that `raw` holds N whole rows.

        The result's memory is filled once `wait` returns.
        """
        n_rows, n_columns = tensor.shape
        n_groups, n_blocks, n_bytes = packed_sizes(tensor.type, n_rows, n_columns)
        region = Region(n_bytes, f"the weights {tensor.name}", large_pages=True)
        self._put(tensor, region, region.address)
        scale = tensor.scales[0] if tensor.scales else 1.0
        return PackedPart(tensor.type, n_rows, n_columns, n_groups, n_blocks, region, scale)

    def pack_experts(self, tensor: GGUFTensor) -> ExpertMatrices:
        """Begin to pack the matrices [X, N, K] of all experts; each begins with a group of its own."""
        n_expert, n_rows, n_columns = tensor.shape
        n_groups, n_blocks, n_bytes = packed_sizes(tensor.type, n_rows, n_columns)
        region = Region(n_expert * n_bytes, f"the weights {tensor.name}", large_pages=True)
        for expert, raw in enumerate(tensor.raw):
            matrix = GGUFTensor(tensor.name, (n_rows, n_columns), tensor.type, raw)
            self._put(matrix, region, region.address + expert * n_bytes)
        scales = Vector(np.array(tensor.scales, np.float32)) if tensor.scales else None
        return ExpertMatrices(tensor.type, tensor.shape, n_groups, n_blocks, region, scales)

    @property
    def _batch_bytes(self) -> int:
        """How much of the file a thread packs at a time."""
        return BATCH_BYTES // self._n_threads

    def _put(self, tensor: GGUFTensor, region: Region, target: int) -> None:
        """Have a matrix packed to an address in a region."""
        layout = LAYOUTS[tensor.type.name.lower()]
        n_rows, n_columns = tensor.shape
        n_blocks = n_columns // layout.columns
        row_bytes, group_bytes = n_blocks * layout.block_bytes, n_blocks * layout.group_bytes
        if tensor.raw.shape != (n_rows, row_bytes) or not tensor.raw.flags.c_contiguous:
            raise ValueError(
                f"{tensor.name}: {n_rows} rows of {row_bytes} bytes expected, not {tensor.raw.shape}"
            )
        kernel = self._address(tensor.type)
        rows_of_job = max(1, self._batch_bytes // (LANES * row_bytes)) * LANES
        for first in range(0, n_rows, rows_of_job):
            stop = min(first + rows_of_job, n_rows)
            self._jobs.put(_Job(kernel, tensor, region, target, group_bytes, n_blocks, first, stop))
        if self._thread is None:
            self._thread = _thread(self._begin)
            self._thread.start()

    def wait(self) -> None:
        """Return when all is packed; an interrupt ends the packing too.

        Raises:
            BaseException: what ended the packing early.
        """
        if self._thread is None:
            return
        try:
            self._put_ends()
            if self._n_threads > 1:
                self._work()
            while not self._finished.wait(_POLL_SECONDS):
                pass
        finally:
            self._cancelled = True  # which matters only to what an interrupt has cut short
            self._put_ends()
            self._thread.join()
            error = self._error
            self._reset()
        if error is not None:
            raise error

    def cancel(self) -> None:
        """Give up what is not packed yet; matrices taken since the last `wait` are not usable."""
        self._cancelled = self._thread is not None
        with suppress(Exception):
            self.wait()

    def _put_ends(self) -> None:
        for _ in range(self._n_threads):
            self._jobs.put(None)

    def _begin(self) -> None:
        """Pack with all threads but the one that reads the model."""
        others = [_thread(self._work) for _ in range(2, self._n_threads)]
        try:
            for thread in others:
                thread.start()
            self._work()
            for thread in others:
                thread.join()
        except BaseException as error:  # the system has no more threads to give
            self._error, self._cancelled = error, True
        finally:
            self._finished.set()

    def _work(self) -> None:
        """Pack what is waiting, beside others, until nothing more will come."""
        try:
            alone = Team(1, self._library)
            for batch in self._batches():
                if self._cancelled:
                    return
                _run(batch, alone)
        except BaseException as error:
            self._error, self._cancelled = error, True

    def _batches(self) -> Iterator[list[_Job]]:
        """What is waiting, about `_batch_bytes` at a time, until nothing more will come."""
        while (job := self._jobs.get()) is not None:
            batch, n_bytes = [job], job.n_bytes
            while n_bytes < self._batch_bytes:
                try:
                    following = self._jobs.get_nowait()
                except Empty:
                    break
                if following is None:
                    yield batch
                    return
                batch.append(following)
                n_bytes += following.n_bytes
            yield batch

    def _address(self, type: GGMLType) -> int:
        kernel = f"pack_{type.name.lower()}"
        if kernel not in self._library.addresses:
            self._library.require([kernel])
        return self._library.addresses[kernel]


def _thread(target: Callable[[], None]) -> threading.Thread:
    return threading.Thread(target=target, name="rushlight-packer", daemon=True)


def _run(batch: list[_Job], team: Team) -> None:
    program = np.zeros(len(batch) + 1, in_program(PACK))  # a zero record ends it
    program[:-1] = [job.record() for job in batch]
    step = team.new_step()
    team.run(program.ctypes.data, step.ctypes.data)
    for job in batch:
        job.tensor.release(job.first, job.stop)
