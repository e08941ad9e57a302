"""Recording the choice of positions, which attention then keeps to."""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Positions, Tensor
from rushlight.backends.cache import AttentionCache
from rushlight.backends.cpu.op_recorder import OpRecorder, as_value
from rushlight.backends.cpu.recording import KEYS, TOKENS, VALUES, Buffer, CacheAddress, Field


class RecordedPositions(NamedTuple):
    """The `Positions` of this backend.

    Attributes:
        ids: int32 [T, n_top], ascending; those that a token has fewer of are `recording.MOST`.
        n_top: positions of a token.
    """

    ids: Buffer
    n_top: int


def chosen_fields(chosen: Positions | None) -> dict[str, Field]:
    """The fields of an attention op that say which positions its tokens see."""
    if chosen is None:
        return {"chosen": 0, "chosen_stride": 0, "n_top": 0}
    if not isinstance(chosen, RecordedPositions):
        raise TypeError(f"positions of the cpu backend were expected, not {type(chosen).__name__}")
    return {"chosen": chosen.ids, "chosen_stride": chosen.ids.row_bytes, "n_top": chosen.n_top}


class PositionRecorder(OpRecorder):
    """The op that chooses positions."""

    def top_positions(
        self, q: Tensor, weights: Tensor, k: Tensor, layer: int, n_top: int
    ) -> RecordedPositions:
        """See `Ops.top_positions`."""
        q, weights, k = as_value(q), as_value(weights), as_value(k)
        spec, n_head = self._cache.specs[layer], weights.n_columns
        if not isinstance(spec, AttentionCache) or spec != AttentionCache(1, k.n_columns, 0):
            raise ValueError(
                f"top_positions of {k.n_columns} key columns in layer {layer}, which keeps {spec}"
            )
        if q.n_columns != n_head * k.n_columns or n_top < 1:
            raise ValueError(f"{n_top} top_positions of {q.n_columns} query columns in {n_head} heads")
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
        ids = self._new_buffer(TOKENS, 4 * n_top)
        fields: dict[str, Field] = {
            "q": q,
            "q_stride": q.buffer.row_bytes,
            "z": weights,
            "z_stride": weights.buffer.row_bytes,
            "y": ids,
            "y_stride": ids.row_bytes,
            "n_head": n_head,
            "head_dim": k.n_columns,
            "n_top": n_top,
        }
        for kernel in ("score_positions", "top_positions"):
            self._add_op(f"{kernel}_{self._kv_dtype}", {**fields, **cache})
        return RecordedPositions(ids, n_top)
