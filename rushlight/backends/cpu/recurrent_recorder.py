"""Recording layers with a state: convolutions, gated delta rules, linear attention and scans of Mamba."""

from __future__ import annotations

from rushlight.backends.cache import RecurrentCache
from rushlight.backends.cpu.op_recorder import OpRecorder, as_value, as_vector, with_strides
from rushlight.backends.cpu.recording import CONV, STATE, TOKENS, CacheAddress, Field, Value
from rushlight.backends.cpu.weights import Vector
from rushlight.backends.tensors import Tensor, Weight

_DELTA_NET_INPUTS = ("q", "k", "v", "dt", "beta")
_KDA_INPUTS = ("q", "k", "v", "decay", "beta")
_LINEAR_INPUTS = ("q", "k", "v")
_WKV6_INPUTS = ("r", "k", "v", "decay")
_WKV7_INPUTS = (*_WKV6_INPUTS, "a", "b")
_SCAN_INPUTS = ("x", "dt", "b", "c")


class RecurrentRecorder(OpRecorder):
    """The ops that read and write what `RecurrentCache` keeps."""

    def short_conv(self, x: Tensor, weight: Weight, layer: int, bias: Weight | None = None) -> Value:
        """See `Ops.short_conv`."""
        x, vector, spec = as_value(x), as_vector(weight), self._cache.specs[layer]
        if not isinstance(spec, RecurrentCache) or spec.conv[1] != x.n_columns:
            raise ValueError(f"short_conv of {x.n_columns} columns in layer {layer}, which keeps {spec}")
        n_taps = spec.conv[0] + 1
        if vector.shape != (n_taps * x.n_columns,):
            raise ValueError(f"short_conv of {n_taps} taps, {x.n_columns} columns and weights {vector.shape}")
        if bias is not None and bias.shape != (x.n_columns,):
            raise ValueError(f"short_conv of {x.n_columns} columns with bias {bias.shape}")
        self.recording.keep += [vector, bias]
        y = self._new(TOKENS, x.n_columns)
        fields: dict[str, Field] = {
            **with_strides({"x": x, "y": y}),
            "weight": vector.address,
            "bias": 0 if bias is None else as_vector(bias).address,
            "kept": CacheAddress(layer, CONV),
            "group": self._cache.group_of_layer[layer],
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
        n_head, head_dim_k, head_dim_v = self._state("gated_delta_net", layer, n_axes=3)
        n_head_kv = columns[0] // head_dim_k
        n_k = n_head_kv * head_dim_k
        fits = columns == (n_k, n_k, n_head * head_dim_v, n_head, n_head) and vector.shape == (n_head,)
        if not fits or n_head_kv == 0 or n_head % n_head_kv:
            raise ValueError(f"gated_delta_net of {columns} columns and {vector.shape} weights with {spec}")
        self.recording.keep.append(vector)
        sizes = {
            "a": vector.address,
            "n_head": n_head,
            "n_head_kv": n_head_kv,
            "n_run": n_head // n_head_kv if grouped else 1,
            "head_dim_k": head_dim_k,
            "head_dim_v": head_dim_v,
        }
        return self._scan("gated_delta_net", inputs, sizes, layer, n_head * head_dim_v)

    def kda(self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor, layer: int) -> Value:
        """See `Ops.kda`."""
        spec = self._cache.specs[layer]
        inputs = {name: as_value(x) for name, x in zip(_KDA_INPUTS, (q, k, v, decay, beta), strict=True)}
        columns = tuple(x.n_columns for x in inputs.values())
        n_head, head_dim_k, head_dim_v = self._state("kda", layer, n_axes=3)
        n_k = n_head * head_dim_k
        if columns != (n_k, n_k, n_head * head_dim_v, n_k, n_head):
            raise ValueError(f"kda of {columns} columns with {spec}")
        sizes = {"n_head": n_head, "head_dim_k": head_dim_k, "head_dim_v": head_dim_v}
        return self._scan("kda", inputs, sizes, layer, inputs["v"].n_columns)

    def gated_linear_attention(
        self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor | Weight, layer: int
    ) -> Value:
        """See `Ops.gated_linear_attention`."""
        inputs = {name: as_value(x) for name, x in zip(_LINEAR_INPUTS, (q, k, v), strict=True)}
        if isinstance(decay, Value):
            inputs["decay"] = decay
            sizes = self._linear("gated_linear_attention", inputs, layer)
        else:
            vector = as_vector(decay)
            sizes = self._linear("gated_linear_attention", inputs, layer, vector)
            sizes |= {"decay": vector.address, "decay_stride": 0}
        return self._scan("gated_linear_attention", inputs, sizes, layer, inputs["v"].n_columns)

    def wkv6(self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, bonus: Weight, layer: int) -> Value:
        """See `Ops.wkv6`."""
        inputs = {name: as_value(x) for name, x in zip(_WKV6_INPUTS, (r, k, v, decay), strict=True)}
        vector = as_vector(bonus)
        sizes = self._linear("wkv6", inputs, layer, vector) | {"bonus": vector.address}
        return self._scan("wkv6", inputs, sizes, layer, inputs["v"].n_columns)

    def wkv7(self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, a: Tensor, b: Tensor, layer: int) -> Value:
        """See `Ops.wkv7`."""
        inputs = {name: as_value(x) for name, x in zip(_WKV7_INPUTS, (r, k, v, decay, a, b), strict=True)}
        sizes = self._linear("wkv7", inputs, layer)
        return self._scan("wkv7", inputs, sizes, layer, inputs["v"].n_columns)

    def _linear(
        self, op: str, inputs: dict[str, Value], layer: int, vector: Vector | None = None
    ) -> dict[str, int]:
        """The sizes of linear attention whose inputs and vector fit the state."""
        n_head, head_dim_k, head_dim_v = self._state(op, layer, n_axes=3)
        n_k, columns = n_head * head_dim_k, {name: x.n_columns for name, x in inputs.items()}
        fits = vector is None or vector.shape == (n_k,)
        if not fits or columns != {**dict.fromkeys(inputs, n_k), "v": n_head * head_dim_v}:
            raise ValueError(f"{op} of {columns} columns with {self._cache.specs[layer]}")
        self.recording.keep.append(vector)
        return {"n_head": n_head, "head_dim_k": head_dim_k, "head_dim_v": head_dim_v}

    def ssm_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Value:
        """See `Ops.ssm_scan`."""
        spec, vector = self._cache.specs[layer], as_vector(a)
        inputs = {name: as_value(item) for name, item in zip(_SCAN_INPUTS, (x, dt, b, c), strict=True)}
        columns = tuple(item.n_columns for item in inputs.values())
        n_head, n_state, head_dim = self._state("ssm_scan", layer, n_axes=3)
        n_group = columns[2] // n_state
        n_b = n_group * n_state
        fits = columns == (n_head * head_dim, n_head, n_b, n_b) and vector.shape == (n_head,)
        if not fits or n_group == 0 or n_head % n_group:
            raise ValueError(f"ssm_scan of {columns} columns and {vector.shape} weights with {spec}")
        self.recording.keep.append(vector)
        sizes = {"n_head": n_head, "n_run": n_head // n_group, "n_state": n_state, "head_dim": head_dim}
        return self._scan("ssm_scan", inputs, {**sizes, "a": vector.address}, layer, columns[0])

    def selective_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Value:
        """See `Ops.selective_scan`."""
        spec, vector = self._cache.specs[layer], as_vector(a)
        inputs = {name: as_value(item) for name, item in zip(_SCAN_INPUTS, (x, dt, b, c), strict=True)}
        columns = tuple(item.n_columns for item in inputs.values())
        n_state, n = self._state("selective_scan", layer, n_axes=2)
        if columns != (n, n, n_state, n_state) or vector.shape != (n * n_state,):
            raise ValueError(f"selective_scan of {columns} columns and {vector.shape} weights with {spec}")
        self.recording.keep.append(vector)
        sizes = {"n_head": 1, "n_run": 1, "n_state": n_state, "head_dim": n, "a": vector.address}
        return self._scan("selective_scan", inputs, sizes, layer, n)

    def _state(self, op: str, layer: int, n_axes: int) -> tuple[int, ...]:
        """The shape of the state that a layer keeps."""
        spec = self._cache.specs[layer]
        if not isinstance(spec, RecurrentCache) or len(spec.state) != n_axes:
            raise ValueError(f"{op} in layer {layer}, which keeps {spec}")
        return spec.state

    def _scan(
        self, kernel: str, inputs: dict[str, Value], sizes: dict[str, int], layer: int, n_columns: int
    ) -> Value:
        y = self._new(TOKENS, n_columns)
        fields: dict[str, Field] = {
            **with_strides({**inputs, "y": y}),
            **sizes,
            "state": CacheAddress(layer, STATE),
            "group": self._cache.group_of_layer[layer],
        }
        self._add_op(kernel, fields)
        return y
