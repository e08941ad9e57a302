"""A recording bound to memory: addresses for its buffers, op records that hold them, a step record."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Limits
from rushlight.backends.cache import BLOCK_TOKENS, CacheLayout
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.kv_memory import KVMemory
from rushlight.backends.cpu.memory import Region
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.plan import plan_buffers
from rushlight.backends.cpu.program import write_records
from rushlight.backends.cpu.recorded import Recorded
from rushlight.backends.cpu.recording import (
    OUTPUTS,
    TOKENS,
    Buffer,
    CacheAddress,
    RecordedOp,
    Value,
)
from rushlight.backends.cpu.records import ARGMAX_RESULT, OP_BYTES
from rushlight.backends.cpu.runtime import Team
from rushlight.backends.cpu.step_inputs import StepInputs
from rushlight.backends.cpu.token_loop import TAIL_RECORDS, LoopInputs, TokenLoop
from rushlight.backends.tensors import Float32Array


class Binding:
    """All memory of an executor, given back when it is gone.

    Args:
        recorded: what to replay.
        layout: the model's cache groups.
        limits: the sizes to reserve for.
        library: holds the recording's kernels and `LOOP_KERNELS`.
        team: whose threads will run it.

    Attributes:
        program, step: addresses of the op records, which a zero record ends, and of the step record.
        loop: lets the program begin anew.
        inputs: where the batch goes.
        cache: what the layers keep.

    Raises:
        OutOfMemory: the system refuses.
    """

    def __init__(
        self, recorded: Recorded, layout: CacheLayout, limits: Limits, library: KernelLibrary, team: Team
    ) -> None:
        recording = recorded.recording
        self.recording = recording
        self.cache = KVMemory(layout, limits)
        self._library = library
        self._n_rows = {TOKENS: limits.n_tokens, OUTPUTS: limits.n_outputs}
        offsets, n_bytes = plan_buffers(recording.buffers, self._n_rows)
        self.arena = Region(n_bytes, "activations")
        self._addresses = {buffer: self.arena.address + offset for buffer, offset in offsets.items()}
        self._program = self._write_program()
        self.loop = self._token_loop(recorded, limits.n_sequences)
        stride = recording.thread_bytes(limits.n_ctx)
        self.workspace = Region(recording.workspace_bytes(limits.n_ctx), "the parts of attention")
        self.scratch = Region(stride * team.n_threads, "scratch memory")
        self._step = team.new_step()
        self._step["workspace"] = self.workspace.address
        self._step["scratch"], self._step["scratch_stride"] = self.scratch.address, stride
        self.inputs = StepInputs(layout, limits, self._step)
        self.program: int = self._program.address
        self.step: int = self._step.ctypes.data

    def _write_program(self) -> Region:
        program = Region(OP_BYTES * (len(self.recording.ops) + TAIL_RECORDS), "the program")
        write_records(program.bytes, [self._record(op) for op in self.recording.ops])
        return program

    def _token_loop(self, recorded: Recorded, n_sequences: int) -> TokenLoop:
        logits = recorded.logits
        inputs = LoopInputs(
            logits=self._addresses[logits.buffer] + logits.offset,
            row_bytes=logits.buffer.row_bytes,
            n_vocab=logits.n_columns,
            n_embeddings=self.recording.n_embeddings,
            argmax=self._addresses[recorded.argmax],
        )
        tail = self._program.bytes[-OP_BYTES * TAIL_RECORDS :]
        return TokenLoop(tail, self._library, inputs, n_sequences, BLOCK_TOKENS)

    def _record(self, op: RecordedOp) -> tuple[np.dtype[np.void], dict[str, int | float]]:
        """What `write_records` takes: the op's kind of record and its fields, all of them numbers by now."""
        record = KERNELS[op.kernel].record
        assert record is not None
        fields = {
            name: item if isinstance(item, (int, float)) else self._resolve(item)
            for name, item in op.fields.items()
        }
        fields["kernel"] = self._library.addresses[op.kernel]
        return record, fields

    def _resolve(self, item: Buffer | Value | CacheAddress) -> int:
        if isinstance(item, Value):
            return self._addresses[item.buffer] + item.offset
        if isinstance(item, Buffer):
            return self._addresses[item]
        return self.cache.address(item)

    def rows(self, buffer: Buffer) -> npt.NDArray[np.uint8]:
        """A view of all rows of a buffer: uint8 [rows, row bytes]."""
        start = self._addresses[buffer] - self.arena.address
        n_rows = self._n_rows[buffer.rows]
        return self.arena.bytes[start : start + n_rows * buffer.row_bytes].reshape(n_rows, buffer.row_bytes)

    def matrix(self, value: Value) -> Float32Array:
        """A view of all rows of an activation."""
        first = value.offset // 4
        return self.rows(value.buffer).view(np.float32)[:, first : first + value.n_columns]

    def argmax_results(self, buffer: Buffer) -> npt.NDArray[np.void]:
        """A view of all rows of a buffer of `ARGMAX_RESULT`."""
        return self.rows(buffer).view(ARGMAX_RESULT)[:, 0]
