"""Recording: a model's `forward` runs once, on `Recorder`, and leaves a list of ops over named buffers."""

from __future__ import annotations

from itertools import accumulate

from rushlight.backends.cpu.attention_recorder import AttentionRecorder
from rushlight.backends.cpu.elementwise_recorder import ElementwiseRecorder
from rushlight.backends.cpu.expert_recorder import ExpertRecorder
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.op_recorder import FLOAT_TYPES, as_value, as_vector, rows_of
from rushlight.backends.cpu.recording import TOKENS, Buffer, Field, Value
from rushlight.backends.cpu.records import ARGMAX_PART, ARGMAX_RESULT
from rushlight.backends.cpu.recurrent_recorder import RecurrentRecorder
from rushlight.backends.cpu.weights import Matrix, PackedPart, Table
from rushlight.backends.tensors import Tensor, Weight
from rushlight.gguf import GGMLType


class Recorder(AttentionRecorder, ExpertRecorder, RecurrentRecorder, ElementwiseRecorder):
    """The op set of `backends.base.Ops`: every call appends to a `Recording`. Ops of matrices are here."""

    def embed(self, weight: Weight, scale: float = 1.0) -> Value:
        """See `Ops.embed`."""
        if not isinstance(weight, Table):
            raise TypeError(f"a table of the cpu backend was expected, not {type(weight).__name__}")
        n_rows, n = weight.shape
        self.recording.n_embeddings = min(self.recording.n_embeddings, n_rows)
        self.recording.tables.append(weight)
        y = self._new(TOKENS, n)
        source: dict[str, Field] = {"x": weight.address, "x_stride": weight.row_bytes, "n": n, "scale": scale}
        kernel = f"embed_{weight.tensor.type.name.lower()}"
        self._add_op(kernel, {**source, "y": y, "y_stride": y.buffer.row_bytes})
        return y

    def embed_positions(self, weight: Weight) -> Value:
        """See `Ops.embed_positions`."""
        if not isinstance(weight, Table) or weight.tensor.type is not GGMLType.F32:
            raise TypeError("a float32 table of the cpu backend was expected")
        n_rows, n = weight.shape
        self.recording.n_positions = min(self.recording.n_positions, n_rows)
        self.recording.tables.append(weight)
        y = self._new(TOKENS, n)
        source: dict[str, Field] = {"x": weight.address, "x_stride": weight.row_bytes, "n": n}
        self._add_op("embed_positions", {**source, "y": y, "y_stride": y.buffer.row_bytes})
        return y

    def rms_norm(self, x: Tensor, weight: Weight | None, eps: float, n_group: int = 1) -> Value:
        """See `Ops.rms_norm`."""
        x = as_value(x)
        return self._norm("rms_norm", x, x.n_columns // n_group, (weight, None), eps, n_group)

    def layer_norm(
        self, x: Tensor, weight: Weight | None, bias: Weight | None, eps: float, n_group: int = 1
    ) -> Value:
        """See `Ops.layer_norm`."""
        x = as_value(x)
        if weight is None and bias is not None:
            raise ValueError("layer_norm with a bias and without weights")
        return self._norm("layer_norm", x, x.n_columns, (weight, bias), eps, n_group)

    def _norm(
        self,
        kernel: str,
        x: Value,
        n_weights: int,
        weights: tuple[Weight | None, Weight | None],
        eps: float,
        n_group: int,
    ) -> Value:
        n = x.n_columns // n_group
        vectors = [None if weight is None else as_vector(weight) for weight in weights]
        shapes = [vector.shape for vector in vectors if vector is not None]
        if n * n_group != x.n_columns or any(shape != (n_weights,) for shape in shapes):
            raise ValueError(f"{kernel} of {x.n_columns} columns in {n_group} groups with weights {shapes}")
        y = self._new(x.buffer.rows, x.n_columns)
        self.recording.keep += vectors
        weight, bias = (0 if vector is None else vector.address for vector in vectors)
        sizes = {"weight": weight, "bias": bias, "n": n, "n_group": n_group, "eps": eps}
        self._add_op(kernel, {**rows_of(x, y), **sizes})
        return y

    def linear(self, x: Tensor, weight: Weight, bias: Weight | None = None) -> Value:
        """See `Ops.linear`."""
        x = as_value(x)
        if not isinstance(weight, Matrix) or weight.shape[1] != x.n_columns:
            raise ValueError(f"linear of {x.n_columns} columns with weights {weight.shape}")
        if bias is not None and bias.shape != weight.shape[:1]:
            raise ValueError(f"linear with weights {weight.shape} and bias {bias.shape}")
        starts = [0, *accumulate(part.n_rows for part in weight.parts)]
        # A part writes whole groups of 16, past its last row too; the next part overwrites those.
        n_written = max(start + 16 * part.n_groups for start, part in zip(starts, weight.parts, strict=False))
        y = Value(self._new(x.buffer.rows, n_written).buffer, weight.shape[0])
        self.recording.keep += [weight, bias]
        for start, part in zip(starts, weight.parts, strict=False):
            address = as_vector(bias).address + 4 * start if bias is not None else 0
            self._linear_part(x, part, address, Value(y.buffer, part.n_rows, 4 * start))
        return y

    def _linear_part(self, x: Value, part: PackedPart, bias: int, y: Value) -> None:
        meta: Field = 0
        source: Field = x
        x_stride, meta_stride = x.buffer.row_bytes, 0
        if part.type not in FLOAT_TYPES:
            source, meta = self._quantize(x, LAYOUTS[part.type.name.lower()].activation_columns)
            x_stride, meta_stride = source.row_bytes, meta.row_bytes
        sizes = {
            "n_groups": part.n_groups,
            "n_blocks": part.n_blocks,
            "weight": part.region.address,
            "bias": bias,
            "residual": 0,
            "residual_stride": 0,
            "scale": part.scale,
        }
        inputs: dict[str, Field] = {
            "x": source,
            "x_stride": x_stride,
            "meta": meta,
            "meta_stride": meta_stride,
        }
        outputs: dict[str, Field] = {"y": y, "y_stride": y.buffer.row_bytes, "rows": x.buffer.rows}
        self._add_op(f"linear_{part.type.name.lower()}", {**inputs, **sizes, **outputs})

    def head_columns(self, x: Tensor, n_head: int, start: int, stop: int) -> Value:
        """See `Ops.head_columns`."""
        x = as_value(x)
        size, rest = divmod(x.n_columns, n_head)
        if rest or not 0 <= start < stop <= size:
            raise ValueError(f"columns {start} to {stop} of {n_head} heads of {x.n_columns} columns")
        y = self._new(x.buffer.rows, n_head * (stop - start))
        sizes = {"x_head": 4 * size, "n_head": n_head, "n": stop - start}
        self._add_op("head_columns", {**rows_of(x, y), "x": x.columns(start, x.n_columns), **sizes})
        return y

    def join_heads(self, x: Tensor, y: Tensor, n_head: int, one: bool = False) -> Value:
        """See `Ops.join_heads`."""
        x, z = as_value(x), as_value(y)
        n, rest = divmod(x.n_columns, n_head)
        z_n, z_rest = (z.n_columns, 0) if one else divmod(z.n_columns, n_head)
        if rest or z_rest or x.buffer.rows != z.buffer.rows:
            raise ValueError(f"join_heads of {x.n_columns} and {z.n_columns} columns of {n_head} heads")
        joined = self._new(x.buffer.rows, n_head * (n + z_n))
        source: dict[str, Field] = {"z": z, "z_stride": z.buffer.row_bytes, "z_head": 0 if one else 4 * z_n}
        sizes = {"n_head": n_head, "n": n, "z_n": z_n}
        self._add_op("join_heads", {**rows_of(x, joined), **source, **sizes})
        return joined

    def argmax(self, x: Value) -> Buffer:
        """The highest value of each row, of equal ones the first: an `ARGMAX_RESULT` in each row."""
        parts = self._new_buffer(x.buffer.rows, 4 * -(-x.n_columns // ARGMAX_PART))
        y = self._new_buffer(x.buffer.rows, ARGMAX_RESULT.itemsize)
        fields: dict[str, Field] = {
            "rows": x.buffer.rows,
            "x": x,
            "x_stride": x.buffer.row_bytes,
            "parts": parts,
            "parts_stride": parts.row_bytes,
            "y": y,
            "y_stride": y.row_bytes,
            "n": x.n_columns,
        }
        for kernel in ("argmax_parts", "argmax"):
            self._add_op(kernel, fields)
        return y
