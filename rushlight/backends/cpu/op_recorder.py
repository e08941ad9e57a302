"""What recording any op needs: buffers for results, and activations in 8 bits."""

from __future__ import annotations

from collections.abc import Mapping

from rushlight.backends.cache import CacheLayout
from rushlight.backends.cpu.memory import ALIGNMENT, align
from rushlight.backends.cpu.recording import Buffer, Field, RecordedOp, Recording, Value
from rushlight.backends.cpu.records import META_BYTES
from rushlight.backends.cpu.weights import Vector
from rushlight.backends.tensors import Tensor, Weight
from rushlight.gguf import GGMLType

FLOAT_TYPES = (GGMLType.F32, GGMLType.F16, GGMLType.BF16)


def as_value(tensor: Tensor) -> Value:
    """A tensor of this backend; a TypeError for one of another."""
    if not isinstance(tensor, Value):
        raise TypeError(f"a tensor of the cpu backend was expected, not {type(tensor).__name__}")
    return tensor


def as_vector(weight: Weight | Tensor) -> Vector:
    """A vector of this backend; a TypeError for one of another."""
    if not isinstance(weight, Vector):
        raise TypeError(f"a vector of the cpu backend was expected, not {type(weight).__name__}")
    return weight


def with_strides(operands: Mapping[str, Value | Buffer]) -> dict[str, Field]:
    """The fields of what an op reads or writes row by row: each operand and its stride."""
    fields: dict[str, Field] = dict(operands)
    for name, operand in operands.items():
        buffer = operand.buffer if isinstance(operand, Value) else operand
        fields[f"{name}_stride"] = buffer.row_bytes
    return fields


def rows_of(x: Value, y: Value) -> dict[str, Field]:
    """The fields of an op that makes a row of y of each row of x."""
    return {"rows": x.buffer.rows, **with_strides({"x": x, "y": y})}


class OpRecorder:
    """Appends ops to a `Recording`.

    Args:
        cache: the model's cache layout.
        kv_dtype: "f16" or "f32".
    """

    def __init__(self, cache: CacheLayout, kv_dtype: str) -> None:
        self.recording = Recording()
        self._cache = cache
        self._kv_dtype = kv_dtype
        self._quantized: dict[tuple[int, int, int, int], tuple[Buffer, Buffer]] = {}

    def _new_buffer(self, rows: int, row_bytes: int) -> Buffer:
        now = len(self.recording.ops)
        buffer = Buffer(rows, align(row_bytes), now, now)
        self.recording.buffers.append(buffer)
        return buffer

    def _new(self, rows: int, n_columns: int) -> Value:
        # Whole vectors of 16 are written, also where a row of weights has been padded.
        return Value(self._new_buffer(rows, 4 * -(-n_columns // 16) * 16), n_columns)

    def _add_op(self, kernel: str, fields: Mapping[str, Field]) -> None:
        now = len(self.recording.ops)
        for item in fields.values():
            buffer = item.buffer if isinstance(item, Value) else item
            if isinstance(buffer, Buffer):
                buffer.last = now
        self.recording.ops.append(RecordedOp(kernel, fields))

    def _quantize(self, x: Value, columns: int) -> tuple[Buffer, Buffer]:
        """Activations in 8 bits, in blocks; the same activations are quantized once, whatever reads them."""
        key = (id(x.buffer), x.offset, x.n_columns, columns)
        if key not in self._quantized:
            # Odd numbers of cache lines: rows a power of two apart would take each other's places in a cache.
            y = self._new_buffer(x.buffer.rows, align(x.n_columns) | ALIGNMENT)
            meta_bytes = META_BYTES[columns] * (x.n_columns // columns)
            meta = self._new_buffer(x.buffer.rows, align(meta_bytes) | ALIGNMENT)
            operands = with_strides({"x": x, "y": y, "meta": meta})
            self._add_op(f"quantize_{columns}", {"rows": x.buffer.rows, **operands, "n": x.n_columns})
            self._quantized[key] = (y, meta)
        return self._quantized[key]
