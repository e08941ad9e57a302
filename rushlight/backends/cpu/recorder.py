"""Recording: a model's `forward` runs once, on `Recorder`, and leaves a list of ops over named buffers."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from rushlight.backends.base import Positions, RopeTable, Tensor, Weight
from rushlight.backends.cache import AttentionCache
from rushlight.backends.cpu.elementwise_recorder import ElementwiseRecorder
from rushlight.backends.cpu.expert_recorder import ExpertRecorder
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.op_recorder import FLOAT_TYPES, as_value, as_vector, rows_of
from rushlight.backends.cpu.position_recorder import PositionRecorder, chosen_fields
from rushlight.backends.cpu.recording import (
    KEYS,
    OUTPUTS,
    TOKENS,
    VALUES,
    Buffer,
    CacheAddress,
    Field,
    Value,
)
from rushlight.backends.cpu.records import ARGMAX_PART, ARGMAX_RESULT
from rushlight.backends.cpu.recurrent_recorder import RecurrentRecorder
from rushlight.backends.cpu.weights import Matrix, PackedPart, Table
from rushlight.gguf import GGMLType


class Recorder(ElementwiseRecorder, ExpertRecorder, RecurrentRecorder, PositionRecorder):
    """The op set of `backends.base.Ops`: every call appends to a `Recording`."""

    def embed(self, weight: Weight, scale: float = 1.0) -> Value:
        """See `Ops.embed`."""
        if not isinstance(weight, Table):
            raise TypeError(f"a table of the cpu backend was expected, not {type(weight).__name__}")
        n_rows, n = weight.shape
        self.recording.n_embeddings = min(self.recording.n_embeddings, n_rows)
        self.recording.keep.append(weight)
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
        self.recording.keep.append(weight)
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

    def rope(self, x: Tensor, table: RopeTable, n_head: int) -> Value:
        """See `Ops.rope`."""
        x = as_value(x)
        head_dim = x.n_columns // n_head
        if head_dim * n_head != x.n_columns or table.n_rot > head_dim:
            raise ValueError(f"rope of {table.n_rot} columns in {n_head} heads of {x.n_columns} columns")
        if table.sin.shape != table.cos.shape:
            raise ValueError(f"rope with cosines {table.cos.shape} and sines {table.sin.shape}")
        self.recording.n_positions = min(self.recording.n_positions, len(table.cos))
        cos, sin = (np.ascontiguousarray(a, np.float32) for a in (table.cos, table.sin))
        self.recording.keep += [table, cos, sin]
        y = self._new(x.buffer.rows, x.n_columns)
        angles = {"cos": cos.ctypes.data, "sin": sin.ctypes.data}
        sizes = {"n_head": n_head, "head_dim": head_dim, "n_rot": table.n_rot}
        kernel = "rope_interleaved" if table.interleaved else "rope_neox"
        self._add_op(kernel, {**rows_of(x, y), **angles, **sizes})
        return y

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

    def attention(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        layer: int,
        scale: float,
        softcap: float = 0.0,
        sinks: Weight | None = None,
        slopes: Weight | None = None,
        chosen: Positions | None = None,
    ) -> Value:
        """See `Ops.attention`."""
        q, k, v = as_value(q), as_value(k), as_value(v)
        spec = self._cache.specs[layer]
        if not isinstance(spec, AttentionCache):
            raise ValueError(f"attention in layer {layer}, which keeps {spec}")
        n_head = q.n_columns // spec.head_dim_k
        if q.n_columns % spec.head_dim_k or n_head % spec.n_head_kv:
            raise ValueError(f"attention of {q.n_columns} query columns with {spec}")
        if (k.n_columns, v.n_columns) != (spec.n_head_kv * spec.head_dim_k, spec.n_head_kv * spec.head_dim_v):
            raise ValueError(f"attention of {k.n_columns} key and {v.n_columns} value columns with {spec}")
        vectors = [None if each is None else as_vector(each) for each in (sinks, slopes)]
        if any(vector is not None and vector.shape != (n_head,) for vector in vectors):
            raise ValueError(f"attention of {n_head} heads with sinks or slopes of another number")
        self.recording.keep += vectors
        sinks_at, slopes_at = (0 if vector is None else vector.address for vector in vectors)
        self.recording.heads.append((n_head, spec.head_dim_k, spec.head_dim_v))
        y = self._new(TOKENS, n_head * spec.head_dim_v)
        shared: dict[str, Field] = {
            "k_cache": CacheAddress(layer, KEYS),
            "v_cache": CacheAddress(layer, VALUES),
            "group": self._cache.group_of_layer[layer],
            "n_head_kv": spec.n_head_kv,
            "head_dim_k": spec.head_dim_k,
            "head_dim_v": spec.head_dim_v,
        }
        inputs: dict[str, Field] = {
            "k": k,
            "k_stride": k.buffer.row_bytes,
            "v": v,
            "v_stride": v.buffer.row_bytes,
        }
        self._add_op(f"store_kv_{self._kv_dtype}", {**inputs, **shared})
        rows: dict[str, Field] = {
            "q": q,
            "q_stride": q.buffer.row_bytes,
            "y": y,
            "y_stride": y.buffer.row_bytes,
        }
        sizes: dict[str, Field] = {
            "n_head": n_head,
            "window": spec.window,
            "chunked": int(spec.chunked and spec.window > 0),
            "ahead": spec.ahead,
            "sinks": sinks_at,
            "slopes": slopes_at,
            "scale": scale,
            "softcap": softcap,
            **chosen_fields(chosen, spec.n_head_kv),
        }
        for kernel in (f"attention_{self._kv_dtype}", "attention_merge"):
            self._add_op(kernel, {**rows, **shared, **sizes})
        return y

    def outputs(self, x: Tensor) -> Value:
        """See `Ops.outputs`."""
        return self._for_outputs("outputs", x)

    def sequence_first(self, x: Tensor) -> Value:
        """See `Ops.sequence_first`."""
        return self._for_outputs("sequence_first", x)

    def sequence_mean(self, x: Tensor) -> Value:
        """See `Ops.sequence_mean`."""
        return self._for_outputs("sequence_mean", x)

    def _for_outputs(self, kernel: str, x: Tensor) -> Value:
        x = as_value(x)
        y = self._new(OUTPUTS, x.n_columns)
        strides: dict[str, Field] = {"x_stride": x.buffer.row_bytes, "y_stride": y.buffer.row_bytes}
        self._add_op(kernel, {"x": x, "y": y, "n": x.n_columns, **strides})
        return y

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
