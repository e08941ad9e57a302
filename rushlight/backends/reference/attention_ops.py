"""Ops of positions in NumPy: see `rushlight.backends.sequence_ops.AttentionOps`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rushlight.backends.reference.pools import KVPool
from rushlight.backends.reference.positions import ChosenPositions, choose_blocks, choose_positions
from rushlight.backends.reference.values import StepOps, Values, as_array, as_vector
from rushlight.backends.tensors import Float32Array, Positions, RopeTable, Tensor, Weight


class ReferenceAttentionOps(StepOps):
    """What needs the tokens' positions, or rows of other tokens of the sequence."""

    def rope(self, x: Tensor, table: RopeTable, n_head: int) -> Values:
        """Rotate pairs of columns of each head by the angle of the token's position."""
        rows = as_array(x)
        positions = self._batch.positions
        self._check_positions(len(table.cos))
        cos, sin = table.cos[positions, None, :], table.sin[positions, None, :]
        heads = rows.reshape(len(rows), n_head, -1)
        half = table.n_rot // 2
        if table.interleaved:
            first, second = slice(0, 2 * half, 2), slice(1, 2 * half, 2)
        else:
            first, second = slice(0, half), slice(half, 2 * half)
        a, b = heads[:, :, first], heads[:, :, second]
        out = heads.copy()
        out[:, :, first] = a * cos - b * sin
        out[:, :, second] = a * sin + b * cos
        return Values(out.reshape(rows.shape))

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
    ) -> Values:
        """Keep k and v, then attend, one sequence after the other."""
        pool = self._pools[layer]
        assert isinstance(pool, KVPool)
        batch = self._batch
        n_head_kv = pool.keys.shape[2]
        keys = as_array(k).reshape(batch.n_tokens, n_head_kv, -1)
        values = as_array(v).reshape(batch.n_tokens, n_head_kv, -1)
        n_group = q.n_columns // (n_head_kv * keys.shape[2])
        queries = as_array(q).reshape(batch.n_tokens, n_head_kv, n_group, -1)
        out = np.empty((batch.n_tokens, n_head_kv, n_group, values.shape[2]), np.float32)
        head_sinks, head_slopes = (
            None if heads is None else as_vector(heads).reshape(n_head_kv, n_group)
            for heads in (sinks, slopes)
        )
        tables = batch.block_tables[self._layout.group_of_layer[layer]]
        for s, table in enumerate(tables):
            tokens = slice(batch.query_start[s], batch.query_start[s + 1])
            first, last = int(batch.positions[tokens][0]), int(batch.positions[tokens][-1])
            pool.store(table, first, keys[tokens], values[tokens])
            oldest = max(0, first - pool.window + 1) if pool.window else 0
            if pool.chunked:
                oldest = first - first % pool.window
            seen_keys, seen_values = pool.load(table, oldest, last + 1)
            visible = _visible(np.arange(first, last + 1), np.arange(oldest, last + 1), pool)[:, None]
            if chosen is not None:
                assert isinstance(chosen, ChosenPositions)
                visible = visible & chosen.seen[tokens, :, oldest : last + 1]
            distance = np.arange(first, last + 1)[:, None] - np.arange(oldest, last + 1)
            for h in range(n_head_kv):
                out[tokens, h] = _attend(
                    queries[tokens, h],
                    seen_keys[:, h],
                    seen_values[:, h],
                    visible[:, h if visible.shape[1] > 1 else 0],
                    scale,
                    softcap,
                    None if head_sinks is None else head_sinks[h],
                    None if head_slopes is None else np.abs(distance)[:, None] * head_slopes[h][:, None],
                )
        return Values(out.reshape(batch.n_tokens, -1))

    def top_positions(self, q: Tensor, weights: Tensor, k: Tensor, layer: int, n_top: int) -> ChosenPositions:
        """Keep k, then choose the positions with the highest scores."""
        pool = self._pools[layer]
        assert isinstance(pool, KVPool)
        tables = self._batch.block_tables[self._layout.group_of_layer[layer]]
        return choose_positions(as_array(q), as_array(weights), as_array(k), n_top, pool, self._batch, tables)

    def top_blocks(
        self, q: Tensor, k: Tensor, layer: int, n_top: int, size: int, n_local: int
    ) -> ChosenPositions:
        """Keep k, then choose the blocks with the highest scores."""
        pool, blocks = self._pools[layer], (n_top, size, n_local)
        assert isinstance(pool, KVPool)
        tables = self._batch.block_tables[self._layout.group_of_layer[layer]]
        return choose_blocks(as_array(q), as_array(k), blocks, pool, self._batch, tables)

    def outputs(self, x: Tensor) -> Values:
        """The rows of the tokens whose logits are wanted."""
        return Values(as_array(x)[self._batch.outputs])

    def sequence_first(self, x: Tensor) -> Values:
        """The rows of the first tokens of the output tokens' sequences."""
        return Values(as_array(x)[self._batch.query_start[self._batch.token_seq[self._batch.outputs]]])

    def sequence_mean(self, x: Tensor) -> Values:
        """The means of the output tokens' sequences, taken in float64."""
        rows, starts = as_array(x), self._batch.query_start
        own = self._batch.token_seq[self._batch.outputs]
        means = [rows[starts[s] : starts[s + 1]].mean(axis=0, dtype=np.float64) for s in own]
        return Values(np.array(means, np.float32).reshape(len(own), x.n_columns))


def _attend(
    q: Float32Array,
    keys: Float32Array,
    values: Float32Array,
    visible: npt.NDArray[np.bool_],
    scale: float,
    softcap: float,
    sinks: Float32Array | None,
    losses: Float32Array | None,
) -> Float32Array:
    """Query heads [T, G, D] of one key-value head over keys [P, D] and values [P, Dv]: [T, G, Dv].

    `sinks` [G] are scores without values, `losses` [T, G, P] what ALiBi takes from scores.
    """
    scores = q @ keys.T * np.float32(scale)
    if softcap:
        scores = np.float32(softcap) * np.tanh(scores / np.float32(softcap))
    if losses is not None:
        scores = scores - losses.astype(np.float32)
    scores = np.where(visible[:, None, :], scores, np.float32(-np.inf))
    largest = scores.max(axis=-1, keepdims=True)
    if sinks is not None:
        largest = np.maximum(largest, sinks[:, None])
    weights = np.exp(scores - largest)
    total = weights.sum(axis=-1, keepdims=True)
    if sinks is not None:
        total = total + np.exp(sinks[:, None] - largest)
    attended: Float32Array = (weights / total) @ values
    return attended


def _visible(
    queries: npt.NDArray[np.intp], keys: npt.NDArray[np.intp], pool: KVPool
) -> npt.NDArray[np.bool_]:
    """Which key positions each query position attends to: bool [queries, keys]."""
    distance = queries[:, None] - keys[None, :]
    visible: npt.NDArray[np.bool_] = distance >= -pool.ahead
    if pool.chunked:
        return visible & (queries[:, None] // pool.window == keys[None, :] // pool.window)
    return visible & (distance < pool.window) if pool.window else visible
