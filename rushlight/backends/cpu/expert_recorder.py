"""Recording a mixture of experts: choosing them, their matrix products, and the weighted sum."""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.cache import CacheLayout
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.op_recorder import FLOAT_TYPES, OpRecorder, as_value, as_vector, rows_of
from rushlight.backends.cpu.recording import Buffer, Field, Value
from rushlight.backends.cpu.records import GATING_OF, META_BYTES, RUN_BYTES
from rushlight.backends.cpu.scratch import expert_bytes
from rushlight.backends.cpu.weights import ExpertMatrices
from rushlight.backends.routing import SMALLEST_SUM, SPARSE_MIXER_WIDTH, Routes, Routing
from rushlight.backends.tensors import Tensor, Weight


class RecordedRoutes(NamedTuple):
    """The `Routes` of this backend.

    Attributes:
        rows: of the buffers that were routed.
        n_used: experts of each row.
        order: int32, without padding between rows: ``row * n_used + slot``, sorted by expert.
        runs: the number of runs and an entry of `RUN_BYTES` for each.
        weights: float32 [rows, n_used]; None: there are none.
    """

    rows: int
    n_used: int
    order: Buffer
    runs: Buffer
    weights: Value | None = None


def _routes(routes: Routes) -> RecordedRoutes:
    if not isinstance(routes, RecordedRoutes):
        raise TypeError(f"routes of the cpu backend were expected, not {type(routes).__name__}")
    return routes


class ExpertRecorder(OpRecorder):
    """The ops of experts, and of heads with matrices of their own."""

    def __init__(self, cache: CacheLayout, kv_dtype: str) -> None:
        super().__init__(cache, kv_dtype)
        self._every: dict[tuple[int, int], RecordedRoutes] = {}

    def route(
        self, logits: Tensor, routing: Routing, bias: Weight | None = None, scales: Weight | None = None
    ) -> RecordedRoutes:
        """See `Ops.route`."""
        x, n_used = as_value(logits), routing.n_used
        routing.check(x.n_columns)
        for vector in (bias, scales):
            if vector is not None and vector.shape != (x.n_columns,):
                raise ValueError(f"route of {x.n_columns} columns with bias or scales {vector.shape}")
        self.recording.keep += [bias, scales]
        self._need_scratch(expert_bytes(0, x.n_columns))
        y, ids = self._new(x.buffer.rows, n_used), self._new_buffer(x.buffer.rows, 4 * n_used)
        chosen: dict[str, Field] = {
            "ids": ids,
            "ids_stride": ids.row_bytes,
            "n": x.n_columns,
            "n_used": n_used,
        }
        how: dict[str, Field] = {
            "bias": 0 if bias is None else as_vector(bias).address,
            "scales": 0 if scales is None else as_vector(scales).address,
            "gating": GATING_OF[routing.gating],
            "normalize": int(routing.normalize),
            "n_group": routing.n_group,
            "n_group_used": routing.n_group_used,
            "scale": routing.scale,
            "smallest_sum": SMALLEST_SUM,
            "width": SPARSE_MIXER_WIDTH,
        }
        self._add_op("route", {**rows_of(x, y), **chosen, **how})
        order, runs = self._sorted(x.buffer.rows, n_used)
        self._add_op("sort_experts", {"rows": x.buffer.rows, **chosen, "order": order, "runs": runs})
        return RecordedRoutes(x.buffer.rows, n_used, order, runs, y)

    def route_weights(self, routes: Routes) -> Value:
        """See `Ops.route_weights`."""
        weights = _routes(routes).weights
        if weights is None:
            raise ValueError("route_weights of heads, which have none")
        return weights

    def experts(self, x: Tensor, weight: Weight, routes: Routes, bias: Weight | None = None) -> Value:
        """See `Ops.experts`."""
        x, routes = as_value(x), _routes(routes)
        if not isinstance(weight, ExpertMatrices):
            raise TypeError(f"experts of the cpu backend were expected, not {type(weight).__name__}")
        n_expert, n, k = weight.shape
        if x.n_columns not in (k, routes.n_used * k) or x.buffer.rows != routes.rows:
            raise ValueError(f"{routes.n_used} experts {weight.shape} of {x.n_columns} columns")
        if bias is not None and bias.shape != (n_expert * n,):
            raise ValueError(f"experts {weight.shape} with bias {bias.shape}")
        self.recording.keep += [weight, bias]
        self._need_scratch(expert_bytes(k, n_expert))
        inputs = self._expert_inputs(x, weight, 0 if x.n_columns == k else 1)
        y = self._new(x.buffer.rows, routes.n_used * n)
        sizes: dict[str, Field] = {
            "n": n,
            "n_used": routes.n_used,
            "n_groups": weight.n_groups,
            "n_blocks": weight.n_blocks,
            "weight": weight.region.address,
            "bias": 0 if bias is None else as_vector(bias).address,
            "scales": 0 if weight.scales is None else weight.scales.address,
        }
        outputs: dict[str, Field] = {"y": y, "y_stride": y.buffer.row_bytes, "rows": x.buffer.rows}
        found: dict[str, Field] = {"order": routes.order, "runs": routes.runs}
        self._add_op(f"experts_{weight.type.name.lower()}", {**inputs, **found, **sizes, **outputs})
        return y

    def _expert_inputs(self, x: Value, weight: ExpertMatrices, own: int) -> dict[str, Field]:
        """Where the activations are; `own` is 1 if every expert of a row has its own."""
        k = weight.shape[2]
        if weight.type in FLOAT_TYPES:
            return {"x": x, "x_stride": x.buffer.row_bytes, "x_slot": 4 * k * own}
        columns = LAYOUTS[weight.type.name.lower()].activation_columns
        source, meta = self._quantize(x, columns)
        slots: dict[str, Field] = {"x_slot": k * own, "meta_slot": META_BYTES[columns] * (k // columns) * own}
        strides: dict[str, Field] = {"x_stride": source.row_bytes, "meta_stride": meta.row_bytes}
        return {"x": source, "meta": meta, **slots, **strides}

    def combine(self, x: Tensor, routes: Routes) -> Value:
        """See `Ops.combine`."""
        x, routes = as_value(x), _routes(routes)
        n, rest = divmod(x.n_columns, routes.n_used)
        weights = routes.weights
        if weights is None or rest or x.buffer.rows != routes.rows:
            raise ValueError(f"combine of {x.n_columns} columns of {routes.n_used} experts")
        y = self._new(x.buffer.rows, n)
        chosen: dict[str, Field] = {
            "z": weights,
            "z_stride": weights.buffer.row_bytes,
            "n_used": routes.n_used,
        }
        self._add_op("combine_experts", {**rows_of(x, y), **chosen, "n": n})
        return y

    def head_linear(self, x: Tensor, weight: Weight) -> Value:
        """See `Ops.head_linear`."""
        x = as_value(x)
        if len(weight.shape) != 3 or x.n_columns != weight.shape[0] * weight.shape[2]:
            raise ValueError(f"head_linear of {x.n_columns} columns with weights {weight.shape}")
        return self.experts(x, weight, self._every_expert(x.buffer.rows, weight.shape[0]))

    def _every_expert(self, rows: int, n_expert: int) -> RecordedRoutes:
        """Every row uses all experts: listed once for all ops that ask."""
        key = (rows, n_expert)
        if key not in self._every:
            order, runs = self._sorted(rows, n_expert)
            self._add_op("every_expert", {"rows": rows, "n": n_expert, "order": order, "runs": runs})
            self._every[key] = RecordedRoutes(rows, n_expert, order, runs)
        return self._every[key]

    def _sorted(self, rows: int, n_used: int) -> tuple[Buffer, Buffer]:
        """Buffers for rows sorted by expert, and for their runs: at most one for each row's expert."""
        return self._new_buffer(rows, 4 * n_used), self._new_buffer(rows, RUN_BYTES * (n_used + 1))

    def _need_scratch(self, n_bytes: int) -> None:
        self.recording.scratch_bytes = max(self.recording.scratch_bytes, n_bytes)
