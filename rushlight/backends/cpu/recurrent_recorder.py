"""Recording layers with a state: short convolutions and the gated delta rule."""

from __future__ import annotations

import numpy as np

from rushlight.backends.base import Tensor, Weight
from rushlight.backends.cache import RecurrentCache
from rushlight.backends.cpu.op_recorder import OpRecorder, as_value, as_vector
from rushlight.backends.cpu.recording import CONV, STATE, TOKENS, CacheAddress, Field, Value

_DELTA_NET_INPUTS = ("q", "k", "v", "dt", "beta")


class RecurrentRecorder(OpRecorder):
    """The ops that read and write what `RecurrentCache` keeps."""

    def short_conv(self, x: Tensor, weight: Weight, layer: int) -> Value:
        """See `Ops.short_conv`."""
        x, vector, spec = as_value(x), as_vector(weight), self._cache.specs[layer]
        if not isinstance(spec, RecurrentCache) or spec.conv[1] != x.n_columns:
            raise ValueError(f"short_conv of {x.n_columns} columns in layer {layer}, which keeps {spec}")
        n_taps = spec.conv[0] + 1
        if vector.shape != (n_taps * x.n_columns,):
            raise ValueError(f"short_conv of {n_taps} taps, {x.n_columns} columns and weights {vector.shape}")
        taps = np.ascontiguousarray(vector.values.reshape(x.n_columns, n_taps).T)
        self.recording.keep.append(taps)
        y = self._new(TOKENS, x.n_columns)
        fields: dict[str, Field] = {
            "x": x,
            "x_stride": x.buffer.row_bytes,
            "weight": taps.ctypes.data,
            "kept": CacheAddress(layer, CONV),
            "group": self._cache.group_of_layer[layer],
            "y": y,
            "y_stride": y.buffer.row_bytes,
            "n": x.n_columns,
            "n_taps": n_taps,
        }
        self._add_op("short_conv", fields)
        return y

    def gated_delta_net(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        dt: Tensor,
        a: Weight,
        beta: Tensor,
        layer: int,
        grouped: bool = False,
    ) -> Value:
        """See `Ops.gated_delta_net`."""
        spec, vector = self._cache.specs[layer], as_vector(a)
        inputs = {name: as_value(x) for name, x in zip(_DELTA_NET_INPUTS, (q, k, v, dt, beta), strict=True)}
        columns = tuple(x.n_columns for x in inputs.values())
        if not isinstance(spec, RecurrentCache) or len(spec.state) != 3:
            raise ValueError(f"gated_delta_net in layer {layer}, which keeps {spec}")
        n_head, head_dim_k, head_dim_v = spec.state
        n_head_kv = columns[0] // head_dim_k
        n_k = n_head_kv * head_dim_k
        fits = columns == (n_k, n_k, n_head * head_dim_v, n_head, n_head) and vector.shape == (n_head,)
        if not fits or n_head_kv == 0 or n_head % n_head_kv:
            raise ValueError(f"gated_delta_net of {columns} columns and {vector.shape} weights with {spec}")
        self.recording.keep.append(vector)
        y = self._new(TOKENS, n_head * head_dim_v)
        fields: dict[str, Field] = {
            **inputs,
            **{f"{name}_stride": x.buffer.row_bytes for name, x in inputs.items()},
            "a": vector.address,
            "state": CacheAddress(layer, STATE),
            "group": self._cache.group_of_layer[layer],
            "y": y,
            "y_stride": y.buffer.row_bytes,
            "n_head": n_head,
            "n_head_kv": n_head_kv,
            "n_run": n_head // n_head_kv if grouped else 1,
            "head_dim_k": head_dim_k,
            "head_dim_v": head_dim_v,
        }
        self._add_op("gated_delta_net", fields)
        return y
