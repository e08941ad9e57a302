"""A recorded program bound to memory: one native call a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Limits, Model
from rushlight.backends.batch import Batch
from rushlight.backends.cache import CacheLayout
from rushlight.backends.check import check_batch, check_blocks, check_draws, check_range
from rushlight.backends.cpu.binding import Binding
from rushlight.backends.cpu.kv_memory import KV_BYTES
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.recorded import record
from rushlight.backends.cpu.recording import Recording
from rushlight.backends.cpu.rows import ROW_KERNELS, CpuRowMath
from rushlight.backends.cpu.runtime import Team
from rushlight.backends.cpu.token_loop import LOOP_KERNELS
from rushlight.backends.tensors import Float32Array, Int64Array
from rushlight.drawing import Draw
from rushlight.errors import InvalidParameter, RushlightError
from rushlight.row_math import Argmax

MOST_ROWS_KEPT = 64
"""So many rows may be looked up before pages of the embedding tables are given back.

The system maps 64 KiB or more around each row, so rows of a few hundred bytes would in time bring a whole
table into memory.
"""


class _Bound(NamedTuple):
    """A model while it is open.

    Attributes:
        model: keeps the weights, which the program knows by address only.
        logits: float32 [most rows, V].
        argmax: `ARGMAX_RESULT` [most rows].
    """

    model: Model
    binding: Binding
    logits: Float32Array
    argmax: npt.NDArray[np.void]


class CpuExecutor:
    """See `backends.base.Executor`."""

    def __init__(self, model: Model, limits: Limits, library: KernelLibrary, team: Team) -> None:
        """Record the model, load its kernels and reserve its memory.

        Raises:
            InvalidParameter: limits that do not fit the model.
            OutOfMemory: the system refuses the memory.
        """
        _check_limits(model.cache, limits)
        recorded = record(model, limits.kv_dtype)
        recording, logits, argmax = recorded
        _check_reach(recording, model, limits)
        library.require({*(op.kernel for op in recording.ops), *ROW_KERNELS, *LOOP_KERNELS})
        binding = Binding(recorded, model.cache, limits, library, team)
        self._bound: _Bound | None = _Bound(
            model, binding, binding.matrix(logits), binding.argmax_results(argmax)
        )
        self._layout, self._limits, self._n_vocab, self._team = model.cache, limits, model.n_vocab, team
        self._n_outputs = self._n_tokens = self._n_rows_kept = 0
        self.row_math = CpuRowMath(team, library, logits.n_columns)

    @property
    def binding(self) -> Binding:
        """Its memory. Raises RushlightError once it is closed."""
        return self._open().binding

    def step(self, batch: Batch) -> Float32Array:
        """See `backends.base.Executor.step`."""
        binding = self._begin(batch)
        self._team.run(binding.program, binding.step)
        self._give_back(1)
        return self.logits()

    def advance(self, token_ids: list[int]) -> Float32Array:
        """See `backends.base.Executor.advance`."""
        binding = self._begin(token_ids)
        self._team.run(binding.program, binding.step)
        self._give_back(1)
        return self.logits()

    def decode(
        self, first: Batch | list[int], n_steps: int, end_ids: Int64Array, draws: Sequence[Draw | None] = ()
    ) -> list[list[int]]:
        """See `backends.base.Executor.decode`."""
        binding = self._begin(first)
        binding.inputs.check_steps(n_steps)
        check_draws(draws, n_steps, self._n_outputs)
        binding.loop.begin(n_steps, end_ids, draws)
        try:
            self._team.run(binding.program, binding.step)
        finally:
            tokens = binding.loop.finish(n_steps, self._n_outputs)
        binding.inputs.went_on(len(tokens) - 1)
        self._give_back(len(tokens))
        return tokens

    def _begin(self, first: Batch | list[int]) -> Binding:
        """Let the program's next step be a batch, or the one that follows the last with these tokens."""
        binding = self._open().binding
        if isinstance(first, Batch):
            check_batch(first, self._limits, self._layout, self._n_vocab)
            binding.inputs.write(first)
            self._n_outputs, self._n_tokens = len(first.outputs), len(first.token_ids)
        else:
            check_range("token_ids", first, self._n_vocab)
            binding.inputs.advance(first)
            self._n_tokens = len(first)
        return binding

    def _give_back(self, n_steps: int) -> None:
        """Let the system drop pages of the embedding tables once steps have looked up many rows."""
        self._n_rows_kept += n_steps * self._n_tokens
        if self._n_rows_kept > MOST_ROWS_KEPT:
            self._n_rows_kept = 0
            for table in self.binding.recording.tables:
                table.tensor.release()

    def hurry(self) -> None:
        """See `backends.base.Executor.hurry`."""
        if (bound := self._bound) is not None:
            bound.binding.loop.hurry()

    def logits(self) -> Float32Array:
        """See `backends.base.Executor.logits`."""
        return self._open().logits[: self._n_outputs]

    def argmax(self) -> list[Argmax]:
        """See `backends.base.Executor.argmax`."""
        return list(map(Argmax._make, self._open().argmax[: self._n_outputs].tolist()))

    def copy_block(self, group: int, source: int, target: int) -> None:
        """See `backends.base.Executor.copy_block`.

        Raises:
            InvalidParameter: there is no such group or block.
        """
        check_blocks(self._limits, group, source, target)
        self.binding.cache.copy(group, source, target)

    def read_block(self, group: int, block: int) -> bytes:
        """See `backends.base.Executor.read_block`."""
        check_blocks(self._limits, group, block)
        return self.binding.cache.read(group, block)

    def write_block(self, group: int, block: int, content: bytes) -> None:
        """See `backends.base.Executor.write_block`."""
        check_blocks(self._limits, group, block)
        self.binding.cache.write(group, block, content)

    def close(self) -> None:
        """See `backends.base.Executor.close`. Memory goes once no view of logits is held any more."""
        self._bound = None
        self._team.close()

    def _open(self) -> _Bound:
        if self._bound is None:
            raise RushlightError("The model is closed; load it again to use it.")
        return self._bound


def _check_limits(layout: CacheLayout, limits: Limits) -> None:
    if limits.kv_dtype not in KV_BYTES:
        raise InvalidParameter(f'kv_dtype is "{limits.kv_dtype}"; it must be "f16" or "f32".')
    if len(limits.n_blocks) != len(layout.groups):
        raise InvalidParameter(
            f"n_blocks has {len(limits.n_blocks)} entries; the model needs {len(layout.groups)}."
        )


def _check_reach(recording: Recording, model: Model, limits: Limits) -> None:
    """Every position and token id that a batch may have lies within the tables that kernels look it up in."""
    if limits.n_ctx > recording.n_positions:
        raise InvalidParameter(
            f"n_ctx is {limits.n_ctx}; the model was loaded for {recording.n_positions} positions."
        )
    if model.n_vocab > recording.n_embeddings:
        raise InvalidParameter(
            f"The model has {model.n_vocab} tokens, but its embedding table {recording.n_embeddings} rows."
        )
