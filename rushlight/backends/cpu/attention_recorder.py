"""Recording ops of positions: rotary embedding, attention, and the choice of what it sees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rushlight.backends.cache import AttentionCache
from rushlight.backends.cpu.op_recorder import OpRecorder, as_value, as_vector, rows_of, with_strides
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
from rushlight.backends.tensors import Positions, RopeTable, Tensor, Weight


class RecordedPositions(NamedTuple):
    """The `Positions` of this backend.

    Attributes:
        ids: int32 [T, lists, n_top], ascending; those that a list has fewer of are `recording.MOST`.
        n_top: positions of a list.
        n_list: a list for each key-value head, or 1 for all of them.
    """

    ids: Buffer
    n_top: int
    n_list: int


def chosen_fields(chosen: Positions | None, n_head_kv: int) -> dict[str, Field]:
    """The fields of an attention op that say which positions its tokens see."""
    if chosen is None:
        return {"chosen": 0, "chosen_stride": 0, "chosen_head": 0, "n_top": 0}
    if not isinstance(chosen, RecordedPositions):
        raise TypeError(f"positions of the cpu backend were expected, not {type(chosen).__name__}")
    if chosen.n_list not in (1, n_head_kv):
        raise ValueError(f"positions of {chosen.n_list} heads for attention with {n_head_kv}")
    own = {"chosen_head": 4 * chosen.n_top if chosen.n_list > 1 else 0, "n_top": chosen.n_top}
    return {"chosen": chosen.ids, "chosen_stride": chosen.ids.row_bytes, **own}


class AttentionRecorder(OpRecorder):
    """The ops that need positions, or rows of other tokens of the sequence."""

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
        spec, n_head = self._attended(q, k, v, layer)
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
        self._add_op(f"store_kv_{self._kv_dtype}", {**with_strides({"k": k, "v": v}), **shared})
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
            self._add_op(kernel, {**with_strides({"q": q, "y": y}), **shared, **sizes})
        return y

    def _attended(self, q: Value, k: Value, v: Value, layer: int) -> tuple[AttentionCache, int]:
        """What a layer keeps, and how many query heads it has, where the three inputs fit that."""
        spec = self._cache.specs[layer]
        if not isinstance(spec, AttentionCache):
            raise ValueError(f"attention in layer {layer}, which keeps {spec}")
        n_head = q.n_columns // spec.head_dim_k
        if q.n_columns % spec.head_dim_k or n_head % spec.n_head_kv:
            raise ValueError(f"attention of {q.n_columns} query columns with {spec}")
        if (k.n_columns, v.n_columns) != (spec.n_head_kv * spec.head_dim_k, spec.n_head_kv * spec.head_dim_v):
            raise ValueError(f"attention of {k.n_columns} key and {v.n_columns} value columns with {spec}")
        return spec, n_head

    def top_positions(
        self, q: Tensor, weights: Tensor, k: Tensor, layer: int, n_top: int
    ) -> RecordedPositions:
        """See `Ops.top_positions`."""
        q, weights, k = as_value(q), as_value(weights), as_value(k)
        n_head = weights.n_columns
        if q.n_columns != n_head * k.n_columns or n_top < 1:
            raise ValueError(f"{n_top} top_positions of {q.n_columns} query columns in {n_head} heads")
        cache, ids = self._store_keys("top_positions", k, layer), self._new_buffer(TOKENS, 4 * n_top)
        scored: dict[str, Field] = {**with_strides({"z": weights}), "n_top": n_top}
        fields = {**self._choice(q, k, ids, n_head), **scored, **cache}
        for kernel in ("score_positions", "top_positions"):
            self._add_op(f"{kernel}_{self._kv_dtype}", fields)
        return RecordedPositions(ids, n_top, 1)

    def top_blocks(
        self, q: Tensor, k: Tensor, layer: int, n_top: int, size: int, n_local: int
    ) -> RecordedPositions:
        """See `Ops.top_blocks`."""
        q, k = as_value(q), as_value(k)
        n_head, rest = divmod(q.n_columns, k.n_columns)
        if rest or not 1 <= n_local <= n_top or size < 1:
            raise ValueError(f"{n_top} top_blocks of {size}, {n_local} local, of {q.n_columns} query columns")
        cache, n = self._store_keys("top_blocks", k, layer), n_top * size
        ids = self._new_buffer(TOKENS, 4 * n_head * n)
        blocks: dict[str, Field] = {"n_top": n_top, "size": size, "n_local": n_local}
        self._add_op(f"top_blocks_{self._kv_dtype}", {**self._choice(q, k, ids, n_head), **blocks, **cache})
        return RecordedPositions(ids, n, n_head)

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
        self._add_op(kernel, {**with_strides({"x": x, "y": y}), "n": x.n_columns})
        return y

    def _store_keys(self, op: str, k: Value, layer: int) -> dict[str, Field]:
        """Record that keys are kept; the fields of the cache that has them."""
        spec = self._cache.specs[layer]
        if spec != AttentionCache(1, k.n_columns, 0):
            raise ValueError(f"{op} of {k.n_columns} key columns in layer {layer}, which keeps {spec}")
        self.recording.chooses = True
        cache: dict[str, Field] = {
            "k_cache": CacheAddress(layer, KEYS),
            "group": self._cache.group_of_layer[layer],
        }
        keys: dict[str, Field] = {
            **with_strides({"k": k, "v": k}),
            "v_cache": CacheAddress(layer, VALUES),
            "n_head_kv": 1,
            "head_dim_k": k.n_columns,
            "head_dim_v": 0,
        }
        self._add_op(f"store_kv_{self._kv_dtype}", {**keys, **cache})
        return cache

    def _choice(self, q: Value, k: Value, ids: Buffer, n_head: int) -> dict[str, Field]:
        """The fields that both ops have."""
        return {**with_strides({"q": q, "y": ids}), "n_head": n_head, "head_dim": k.n_columns}
