"""Recording the choice of positions, which attention then keeps to."""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Positions, Tensor
from rushlight.backends.cache import AttentionCache
from rushlight.backends.cpu.op_recorder import OpRecorder, as_value
from rushlight.backends.cpu.recording import KEYS, TOKENS, VALUES, Buffer, CacheAddress, Field, Value


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


class PositionRecorder(OpRecorder):
    """The ops that choose positions."""

    def top_positions(
        self, q: Tensor, weights: Tensor, k: Tensor, layer: int, n_top: int
    ) -> RecordedPositions:
        """See `Ops.top_positions`."""
        q, weights, k = as_value(q), as_value(weights), as_value(k)
        n_head = weights.n_columns
        if q.n_columns != n_head * k.n_columns or n_top < 1:
            raise ValueError(f"{n_top} top_positions of {q.n_columns} query columns in {n_head} heads")
        cache, ids = self._store_keys("top_positions", k, layer), self._new_buffer(TOKENS, 4 * n_top)
        scored: dict[str, Field] = {"z": weights, "z_stride": weights.buffer.row_bytes, "n_top": n_top}
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
            "k": k,
            "k_stride": k.buffer.row_bytes,
            "v": k,
            "v_stride": k.buffer.row_bytes,
            "v_cache": CacheAddress(layer, VALUES),
            "n_head_kv": 1,
            "head_dim_k": k.n_columns,
            "head_dim_v": 0,
        }
        self._add_op(f"store_kv_{self._kv_dtype}", {**keys, **cache})
        return cache

    def _choice(self, q: Value, k: Value, ids: Buffer, n_head: int) -> dict[str, Field]:
        """The fields that both ops have."""
        sizes: dict[str, Field] = {"n_head": n_head, "head_dim": k.n_columns}
        return {"q": q, "q_stride": q.buffer.row_bytes, "y": ids, "y_stride": ids.row_bytes, **sizes}
