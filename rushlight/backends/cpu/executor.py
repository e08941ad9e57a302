"""A recorded program bound to memory: one native call a step."""

from __future__ import annotations

import numpy as np

from rushlight.backends.base import Float32Array, Limits, Model
from rushlight.backends.batch import Batch
from rushlight.backends.cache import BLOCK_TOKENS, AttentionCache, CacheLayout, RecurrentCache
from rushlight.backends.check import check_batch
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.memory import Region, align
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.plan import plan_buffers
from rushlight.backends.cpu.recorder import Recorder, as_value
from rushlight.backends.cpu.recording import OUTPUTS, TOKENS, Buffer, CacheAddress, Field, Value
from rushlight.backends.cpu.records import OP_BYTES
from rushlight.backends.cpu.runtime import Team
from rushlight.backends.cpu.scratch import scratch_bytes, workspace_bytes
from rushlight.errors import InvalidParameter, UnsupportedModel

KV_BYTES = {"f16": 2, "f32": 4}


class CpuExecutor:
    """See `backends.base.Executor`."""

    def __init__(self, model: Model, limits: Limits, library: KernelLibrary, team: Team) -> None:
        """Record the model, load its kernels and reserve its memory.

        Raises:
            UnsupportedModel: the model has recurrent layers, for which there are no kernels yet.
            InvalidParameter: limits that do not fit the model.
            OutOfMemory: the system refuses the memory.
        """
        _check_limits(model.cache, limits)
        self._model = model  # keeps the weights, which the program knows by address only
        recorder = Recorder(model.cache, limits.kv_dtype)
        logits = as_value(model.forward(recorder))
        self._recording, self._limits, self._logits = recorder.recording, limits, logits
        self._n_vocab = model.n_vocab
        if limits.n_ctx > self._recording.n_positions:
            raise InvalidParameter(
                f"n_ctx is {limits.n_ctx}; the model was loaded for {self._recording.n_positions} positions."
            )
        # Inputs are filled before the first op, and the logits are read after the last.
        for embedded in self._recording.inputs:
            embedded.value.buffer.first = 0
        logits.buffer.last = len(self._recording.ops)
        self._cache = _KVCache(model.cache, limits)
        self._library = library
        library.require({op.kernel for op in self._recording.ops})
        self._bind()
        self._team = team
        self._prepare_step()

    def _bind(self) -> None:
        """Lay out the buffers and write the op records; a zero record ends the program."""
        rows = {TOKENS: self._limits.n_tokens, OUTPUTS: self._limits.n_outputs}
        offsets, n_bytes = plan_buffers(self._recording.buffers, rows)
        self._arena = Region(n_bytes, "activations")
        self._addresses = {buffer: self._arena.address + offset for buffer, offset in offsets.items()}
        self._program = Region(OP_BYTES * (len(self._recording.ops) + 1), "the program")
        for i, op in enumerate(self._recording.ops):
            dtype = KERNELS[op.kernel].record
            assert dtype is not None
            record = self._program.bytes[i * OP_BYTES : i * OP_BYTES + dtype.itemsize].view(dtype)[0]
            record["kernel"] = self._library.addresses[op.kernel]
            for name, item in op.fields.items():
                record[name] = self._resolve(item)

    def _resolve(self, item: Field) -> int | float:
        if isinstance(item, Value):
            return self._addresses[item.buffer] + item.offset
        if isinstance(item, Buffer):
            return self._addresses[item]
        if isinstance(item, CacheAddress):
            return self._cache.address(item)
        return item

    def _prepare_step(self) -> None:
        heads = self._recording.heads
        stride = align(scratch_bytes(heads))
        self._workspace = Region(workspace_bytes(heads, self._limits.n_ctx), "the parts of attention")
        self._scratch = Region(stride * self._team.n_threads, "scratch memory")
        self._tables = np.zeros((len(self._cache.layout.groups), 2), np.int64)
        self._step = self._team.new_step()
        self._step["tables"] = self._tables.ctypes.data
        self._step["workspace"] = self._workspace.address
        self._step["scratch"], self._step["scratch_stride"] = self._scratch.address, stride

    def step(self, batch: Batch) -> Float32Array:
        """See `backends.base.Executor.step`."""
        check_batch(batch, self._limits, self._cache.layout, self._n_vocab)
        step = self._step
        step["n_tokens"], step["n_outputs"] = batch.n_tokens, len(batch.outputs)
        for name in ("positions", "token_seq", "query_start", "outputs"):
            step[name] = getattr(batch, name).ctypes.data
        for group, table in enumerate(batch.block_tables):
            self._tables[group] = table.ctypes.data, 4 * table.shape[1]
        for item in self._recording.inputs:
            rows = item.table.rows(batch.token_ids)
            target = self._matrix(item.value, batch.n_tokens)
            np.multiply(rows, np.float32(item.scale), out=target)
        self._team.run(self._program.address, step.ctypes.data)
        return self._matrix(self._logits, len(batch.outputs))

    def _matrix(self, value: Value, n_rows: int) -> Float32Array:
        """A view of the first rows of a buffer."""
        start = self._addresses[value.buffer] - self._arena.address
        rows = self._arena.bytes[start : start + n_rows * value.buffer.row_bytes].view(np.float32)
        first = value.offset // 4
        return rows.reshape(n_rows, value.buffer.row_bytes // 4)[:, first : first + value.n_columns]

    def copy_block(self, group: int, source: int, target: int) -> None:
        """See `backends.base.Executor.copy_block`.

        Raises:
            InvalidParameter: there is no such group or block.
        """
        n_blocks = self._limits.n_blocks[group] if 0 <= group < len(self._limits.n_blocks) else 0
        if not (0 <= source < n_blocks and 0 <= target < n_blocks):
            raise InvalidParameter(f"Cache group {group} has {n_blocks} blocks, not {source} and {target}.")
        self._cache.copy(group, source, target)

    def close(self) -> None:
        """See `backends.base.Executor.close`."""
        self._team.close()


def _check_limits(layout: CacheLayout, limits: Limits) -> None:
    if limits.kv_dtype not in KV_BYTES:
        raise InvalidParameter(f'kv_dtype is "{limits.kv_dtype}"; it must be "f16" or "f32".')
    if len(limits.n_blocks) != len(layout.groups):
        raise InvalidParameter(
            f"n_blocks has {len(limits.n_blocks)} entries; the model needs {len(layout.groups)}."
        )


class _KVCache:
    """Keys and values of every layer: a region of each, block after block."""

    def __init__(self, layout: CacheLayout, limits: Limits) -> None:
        self.layout = layout
        itemsize = KV_BYTES[limits.kv_dtype]
        self._regions: dict[tuple[int, bool], Region] = {}
        self._block_bytes: dict[tuple[int, bool], int] = {}
        for layer, spec in enumerate(layout.specs):
            if isinstance(spec, RecurrentCache):
                raise UnsupportedModel(
                    "The cpu backend has no recurrent layers yet; use the reference backend."
                )
            n_blocks = limits.n_blocks[layout.group_of_layer[layer]]
            for values in (False, True):
                n_bytes = BLOCK_TOKENS * spec.n_head_kv * _padded(spec, values) * itemsize
                self._block_bytes[layer, values] = n_bytes
                self._regions[layer, values] = Region(n_bytes * n_blocks, "the KV cache")

    def address(self, item: CacheAddress) -> int:
        """Where a layer's keys or values begin."""
        return self._regions[item.layer, item.values].address

    def copy(self, group: int, source: int, target: int) -> None:
        """Copy a block in every layer of a group."""
        for layer in self.layout.groups[group].layers:
            for values in (False, True):
                blocks = self._regions[layer, values].bytes.reshape(-1, self._block_bytes[layer, values])
                blocks[target] = blocks[source]


def _padded(spec: AttentionCache, values: bool) -> int:
    return -(-spec.head_dim_v // 16) * 16 if values else spec.head_dim_k
