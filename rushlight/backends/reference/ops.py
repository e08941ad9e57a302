"""The op set in NumPy. `rushlight.backends.base.Ops` says what each op means; this is that, executed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Float32Array, Positions, RopeTable, Tensor, Weight
from rushlight.backends.batch import Batch, Int32Array
from rushlight.backends.cache import CacheLayout
from rushlight.backends.reference.pools import KVPool, StatePool
from rushlight.backends.reference.positions import ChosenPositions, choose_blocks, choose_positions
from rushlight.backends.reference.recurrences import (
    gated_delta_net,
    linear_attention,
    short_conv,
    ssm_scan,
    wkv7,
)
from rushlight.backends.reference.routing import ChosenExperts, choose_experts
from rushlight.backends.reference.weights import ExpertsWeight, MatrixWeight, TableWeight, VectorWeight
from rushlight.backends.routing import Routes, Routing
from rushlight.errors import InvalidParameter


@dataclass(frozen=True)
class Values:
    """An activation: float32 [rows, n_columns]."""

    array: Float32Array

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return int(self.array.shape[1])

    def columns(self, start: int, stop: int) -> Values:
        """A view of columns ``start`` to ``stop - 1``."""
        return Values(self.array[:, start:stop])


class ReferenceOps:
    """One step: the ops of `rushlight.backends.base.Ops`, bound to a batch and the caches.

    Args:
        batch: a checked batch.
        layout: the cache layout of the model.
        pools: the pool of each layer.
    """

    def __init__(self, batch: Batch, layout: CacheLayout, pools: Sequence[KVPool | StatePool]) -> None:
        self._batch = batch
        self._layout = layout
        self._pools = pools

    def embed(self, weight: Weight, scale: float = 1.0) -> Values:
        """Rows of the table for the step's token ids, times `scale`."""
        assert isinstance(weight, TableWeight)
        return Values(weight.rows(self._batch.token_ids) * np.float32(scale))

    def embed_positions(self, weight: Weight) -> Values:
        """Rows of the table for the positions of the step's tokens."""
        assert isinstance(weight, TableWeight)
        self._check_positions(weight.shape[0])
        return Values(weight.rows(self._batch.positions))

    def rms_norm(self, x: Tensor, weight: Weight | None, eps: float, n_group: int = 1) -> Values:
        """Root mean square norm of each of `n_group` runs of columns; the mean is taken in float64."""
        rows = _array(x)
        groups = rows.reshape(len(rows), n_group, x.n_columns // n_group)
        mean = np.mean(np.square(groups, dtype=np.float64), axis=-1, keepdims=True)
        scale = (1.0 / np.sqrt(mean + eps)).astype(np.float32)
        normed = groups * scale if weight is None else groups * scale * _vector(weight)
        return Values(normed.reshape(rows.shape))

    def layer_norm(
        self, x: Tensor, weight: Weight | None, bias: Weight | None, eps: float, n_group: int = 1
    ) -> Values:
        """Layer norm of each of `n_group` runs of columns; mean and variance are taken in float64."""
        rows = _array(x)
        groups = rows.reshape(len(rows), n_group, -1).astype(np.float64)
        centred = groups - np.mean(groups, axis=-1, keepdims=True)
        variance = np.mean(np.square(centred), axis=-1, keepdims=True)
        normed = (centred / np.sqrt(variance + eps)).astype(np.float32).reshape(rows.shape)
        if weight is not None:
            normed = normed * _vector(weight)
        return Values(normed if bias is None else normed + _vector(bias))

    def linear(self, x: Tensor, weight: Weight, bias: Weight | None = None) -> Values:
        """``x @ weight.T + bias``."""
        assert isinstance(weight, MatrixWeight)
        rows = _array(x)
        out = np.empty((len(rows), weight.shape[0]), np.float32)
        start = 0
        for chunk in weight.chunks():
            np.matmul(rows, chunk.T, out=out[:, start : start + len(chunk)])
            start += len(chunk)
        return Values(out if bias is None else out + _vector(bias))

    def rope(self, x: Tensor, table: RopeTable, n_head: int) -> Values:
        """Rotate pairs of columns of each head by the angle of the token's position."""
        rows = _array(x)
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

    def _check_positions(self, n: int) -> None:
        if (last := self._batch.positions.max()) >= n:
            raise InvalidParameter(f"A batch holds position {last}; the model was loaded for {n}.")

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
        keys = _array(k).reshape(batch.n_tokens, n_head_kv, -1)
        values = _array(v).reshape(batch.n_tokens, n_head_kv, -1)
        n_group = q.n_columns // (n_head_kv * keys.shape[2])
        queries = _array(q).reshape(batch.n_tokens, n_head_kv, n_group, -1)
        out = np.empty((batch.n_tokens, n_head_kv, n_group, values.shape[2]), np.float32)
        head_sinks, head_slopes = (
            None if heads is None else _vector(heads).reshape(n_head_kv, n_group) for heads in (sinks, slopes)
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
        return choose_positions(_array(q), _array(weights), _array(k), n_top, pool, self._batch, tables)

    def top_blocks(
        self, q: Tensor, k: Tensor, layer: int, n_top: int, size: int, n_local: int
    ) -> ChosenPositions:
        """Keep k, then choose the blocks with the highest scores."""
        pool, blocks = self._pools[layer], (n_top, size, n_local)
        assert isinstance(pool, KVPool)
        tables = self._batch.block_tables[self._layout.group_of_layer[layer]]
        return choose_blocks(_array(q), _array(k), blocks, pool, self._batch, tables)

    def route(
        self, logits: Tensor, routing: Routing, bias: Weight | None = None, scales: Weight | None = None
    ) -> ChosenExperts:
        """Choose experts for each row."""
        chosen = choose_experts(_array(logits), routing, None if bias is None else _vector(bias))
        if scales is None:
            return chosen
        return ChosenExperts(chosen.ids, chosen.weights * _vector(scales)[chosen.ids])

    def route_weights(self, routes: Routes) -> Values:
        """The weights of each row's experts."""
        assert isinstance(routes, ChosenExperts)
        return Values(routes.weights)

    def experts(self, x: Tensor, weight: Weight, routes: Routes, bias: Weight | None = None) -> Values:
        """The products of each row's experts, one expert after the other."""
        assert isinstance(weight, ExpertsWeight) and isinstance(routes, ChosenExperts)
        n_expert, n, k = weight.shape
        rows = _array(x)
        inputs = rows.reshape(len(rows), -1, k)
        out = np.empty((len(rows), routes.n_used, n), np.float32)
        for e in np.unique(routes.ids).tolist():
            row, slot = np.nonzero(routes.ids == e)
            own = inputs[row, slot if inputs.shape[1] > 1 else 0]
            out[row, slot] = own @ weight.matrix(e).T
        if bias is not None:
            out += _vector(bias).reshape(n_expert, n)[routes.ids]
        return Values(out.reshape(len(rows), -1))

    def combine(self, x: Tensor, routes: Routes) -> Values:
        """The weighted sum of each row's experts."""
        assert isinstance(routes, ChosenExperts)
        rows = _array(x)
        products = rows.reshape(len(rows), routes.n_used, -1) * routes.weights[:, :, None]
        return Values(products.sum(axis=1))

    def head_linear(self, x: Tensor, weight: Weight) -> Values:
        """The product of each head with a matrix of its own."""
        assert isinstance(weight, ExpertsWeight)
        n_head, n, k = weight.shape
        heads = _array(x).reshape(-1, n_head, k)
        out = np.empty((len(heads), n_head, n), np.float32)
        for h in range(n_head):
            out[:, h] = heads[:, h] @ weight.matrix(h).T
        return Values(out.reshape(len(heads), -1))

    def head_columns(self, x: Tensor, n_head: int, start: int, stop: int) -> Values:
        """Some columns of each head."""
        rows = _array(x)
        heads = rows.reshape(len(rows), n_head, -1)[:, :, start:stop]
        return Values(heads.reshape(len(rows), -1))

    def join_heads(self, x: Tensor, y: Tensor, n_head: int, one: bool = False) -> Values:
        """The columns of each head of x, then of y."""
        rows = len(_array(x))
        left, right = _array(x).reshape(rows, n_head, -1), _array(y).reshape(rows, 1 if one else n_head, -1)
        right = np.broadcast_to(right, (rows, n_head, right.shape[2]))
        return Values(np.concatenate([left, right], axis=2).reshape(rows, -1))

    def short_conv(self, x: Tensor, weight: Weight, layer: int, bias: Weight | None = None) -> Values:
        """The causal convolution of each column, one sequence after the other."""
        pool, blocks = self._states(layer)
        own = None if bias is None else _vector(bias)
        return Values(short_conv(_array(x), _vector(weight), own, pool, self._batch, blocks))

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
    ) -> Values:
        """The gated delta rule, token by token."""
        pool, blocks = self._states(layer)
        decay = np.exp(_vector(a) * _array(dt))
        n_head, head_dim = pool.states.shape[1:3]
        n_repeat = n_head * head_dim // k.n_columns
        shared = (_array(x).reshape(len(decay), -1, head_dim) for x in (q, k))
        queries, keys = (
            np.repeat(x, n_repeat, axis=1) if grouped else np.tile(x, (1, n_repeat, 1)) for x in shared
        )
        qkv = queries, keys, _array(v).reshape(len(decay), n_head, -1)
        return Values(gated_delta_net(qkv, decay[:, :, None], _array(beta), pool, self._batch, blocks))

    def kda(self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor, layer: int) -> Values:
        """The gated delta rule with a decay for each row, token by token."""
        pool, blocks = self._states(layer)
        n_head = pool.states.shape[1]
        queries, keys, values, decays = (
            _array(x).reshape(self._batch.n_tokens, n_head, -1) for x in (q, k, v, decay)
        )
        qkv = queries, keys, values
        return Values(gated_delta_net(qkv, decays, _array(beta), pool, self._batch, blocks))

    def gated_linear_attention(
        self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor | Weight, layer: int
    ) -> Values:
        """Linear attention with decays, token by token."""
        decays = decay.array if isinstance(decay, Values) else _vector(decay)
        pool, blocks = self._states(layer)
        rows = (*map(_array, (q, k, v)), np.broadcast_to(decays, _array(k).shape))
        inputs = [row.reshape(self._batch.n_tokens, pool.states.shape[1], -1) for row in rows]
        return Values(linear_attention(inputs, None, pool, self._batch, blocks))

    def wkv6(self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, bonus: Weight, layer: int) -> Values:
        """The linear attention of RWKV-6, token by token."""
        pool, blocks = self._states(layer)
        n_head = pool.states.shape[1]
        inputs = [_array(x).reshape(self._batch.n_tokens, n_head, -1) for x in (r, k, v, decay)]
        own = _vector(bonus).reshape(n_head, -1)
        return Values(linear_attention(inputs, own, pool, self._batch, blocks))

    def wkv7(
        self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, a: Tensor, b: Tensor, layer: int
    ) -> Values:
        """The generalized delta rule of RWKV-7, token by token."""
        pool, blocks = self._states(layer)
        n_head = pool.states.shape[1]
        inputs = [_array(x).reshape(self._batch.n_tokens, n_head, -1) for x in (r, k, v, decay, a, b)]
        return Values(wkv7(inputs, pool, self._batch, blocks))

    def ssm_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Values:
        """The scan of Mamba-2, token by token."""
        pool, blocks = self._states(layer)
        steps = _array(dt)
        n_head, n_state, _ = pool.states.shape[1:]
        groups = (_array(rows).reshape(len(steps), -1, n_state) for rows in (b, c))
        added, read = (np.repeat(rows, n_head // rows.shape[1], axis=1) for rows in groups)
        inputs = _array(x).reshape(len(steps), n_head, -1) * steps[:, :, None]
        decay = np.exp(_vector(a) * steps)[:, :, None, None]
        y = ssm_scan(inputs, decay, added, read, pool, self._batch, blocks)
        return Values(y.reshape(len(steps), -1))

    def selective_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Values:
        """The scan of Mamba-1, token by token."""
        pool, blocks = self._states(layer)
        steps = _array(dt)
        inputs = (_array(x) * steps)[:, None]
        decay = np.exp(_vector(a).reshape(steps.shape[1], -1).T * steps[:, None])[:, None]
        added, read = (_array(rows)[:, None] for rows in (b, c))
        return Values(ssm_scan(inputs, decay, added, read, pool, self._batch, blocks)[:, 0])

    def _states(self, layer: int) -> tuple[StatePool, Int32Array]:
        """The pool of a layer with a state, and the block of each sequence in it."""
        pool = self._pools[layer]
        assert isinstance(pool, StatePool)
        return pool, self._batch.block_tables[self._layout.group_of_layer[layer]][:, 0]

    def silu_mul(self, gate: Tensor, up: Tensor) -> Values:
        """``silu(gate) * up``."""
        g = _array(gate)
        return Values(g / (1 + np.exp(-g)) * _array(up))

    def swiglu_oai(self, gate: Tensor, up: Tensor) -> Values:
        """The clamped SwiGLU of gpt-oss."""
        g = np.minimum(_array(gate), np.float32(7))
        u = np.clip(_array(up), np.float32(-7), np.float32(7))
        return Values(g / (1 + np.exp(np.float32(-1.702) * g)) * (u + 1))

    def sigmoid_scale(self, x: Tensor, gate: Tensor) -> Values:
        """``sigmoid(gate) * x`` with one gate a row."""
        return Values(_array(x) / (1 + np.exp(-_array(gate))))

    def relu_mul(self, gate: Tensor, up: Tensor) -> Values:
        """``max(gate, 0) * up``."""
        return Values(np.maximum(_array(gate), np.float32(0)) * _array(up))

    def gelu_mul(self, gate: Tensor, up: Tensor) -> Values:
        """``gelu(gate) * up``."""
        return Values(_gelu(_array(gate)) * _array(up))

    def gelu(self, x: Tensor) -> Values:
        """The tanh form of GELU."""
        return Values(_gelu(_array(x)))

    def exp(self, x: Tensor) -> Values:
        """``exp(x)``."""
        return Values(np.exp(_array(x)))

    def silu(self, x: Tensor) -> Values:
        """``x / (1 + exp(-x))``."""
        return Values(_array(x) / (1 + np.exp(-_array(x))))

    def sigmoid(self, x: Tensor) -> Values:
        """``1 / (1 + exp(-x))``."""
        return Values(np.float32(1) / (1 + np.exp(-_array(x))))

    def softplus(self, x: Tensor) -> Values:
        """``log(1 + exp(x))``."""
        return Values(np.asarray(np.logaddexp(np.float32(0), _array(x)), np.float32))

    def relu_squared(self, x: Tensor) -> Values:
        """``max(x, 0)^2``."""
        return Values(np.square(np.maximum(_array(x), np.float32(0))))

    def xielu(self, x: Tensor, alpha_p: float, alpha_n: float, beta: float, eps: float) -> Values:
        """The expanded integral of the exponential linear unit."""
        p, n, b = np.float32(alpha_p), np.float32(alpha_n), np.float32(beta)
        v = _array(x)
        negative = n * (np.expm1(np.minimum(v, np.float32(eps))) - v) + b * v
        return Values(np.where(v > 0, p * v * v + b * v, negative))

    def add(self, x: Tensor, y: Tensor | Weight) -> Values:
        """``x + y``."""
        return Values(_array(x) + (y.array if isinstance(y, Values) else _vector(y)))

    def scale(self, x: Tensor, factor: float) -> Values:
        """``x * factor``."""
        return Values(_array(x) * np.float32(factor))

    def multiply(self, x: Tensor, y: Tensor | Weight) -> Values:
        """``x * y``."""
        factors: Float32Array = y.array if isinstance(y, Values) else _vector(y)
        return Values(_array(x) * factors)

    def scale_rows(self, x: Tensor, factors: Tensor) -> Values:
        """``x * factors``."""
        rows = _array(x)
        runs = rows.reshape(len(rows), factors.n_columns, -1) * _array(factors)[:, :, None]
        return Values(runs.reshape(rows.shape))

    def match_magnitude(self, x: Tensor, target: Tensor) -> Values:
        """Rows of x as long as those of `target`; the sums are taken in float64."""
        length, wanted = (
            np.sum(np.square(_array(rows), dtype=np.float64), axis=-1, keepdims=True) for rows in (x, target)
        )
        return Values(_array(x) * np.sqrt(wanted / length).astype(np.float32))

    def sparsify(self, x: Tensor, n_std: float) -> Values:
        """What exceeds the mean by `n_std` standard deviations; both are taken in float64."""
        rows = _array(x).astype(np.float64)
        mean, std = rows.mean(axis=-1, keepdims=True), rows.std(axis=-1, ddof=1, keepdims=True)
        return Values(np.maximum(rows - (mean + n_std * std), 0).astype(np.float32))

    def clamp(self, x: Tensor, limit: float) -> Values:
        """``min(max(x, -limit), limit)``."""
        return Values(np.clip(_array(x), np.float32(-limit), np.float32(limit)))

    def minimum(self, x: Tensor, limit: float) -> Values:
        """``min(x, limit)``."""
        return Values(np.minimum(_array(x), np.float32(limit)))

    def softmax(self, x: Tensor) -> Values:
        """The share of each column's exponential in the sum of its row."""
        rows = _array(x)
        grown = np.exp(rows - rows.max(axis=-1, keepdims=True))
        return Values(grown / grown.sum(axis=-1, keepdims=True))

    def softcap(self, x: Tensor, cap: float) -> Values:
        """``cap * tanh(x / cap)``."""
        return Values(np.float32(cap) * np.tanh(_array(x) / np.float32(cap)))

    def outputs(self, x: Tensor) -> Values:
        """The rows of the tokens whose logits are wanted."""
        return Values(_array(x)[self._batch.outputs])

    def sequence_first(self, x: Tensor) -> Values:
        """The rows of the first tokens of the output tokens' sequences."""
        return Values(_array(x)[self._batch.query_start[self._batch.token_seq[self._batch.outputs]]])

    def sequence_mean(self, x: Tensor) -> Values:
        """The means of the output tokens' sequences, taken in float64."""
        rows, starts = _array(x), self._batch.query_start
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


def _gelu(x: Float32Array) -> Float32Array:
    inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x * x * x)
    y: Float32Array = np.float32(0.5) * x * (1 + np.tanh(inner))
    return y


def _array(x: Tensor) -> Float32Array:
    assert isinstance(x, Values)
    return x.array


def _vector(weight: Weight | Tensor) -> Float32Array:
    assert isinstance(weight, VectorWeight)
    return weight.values
