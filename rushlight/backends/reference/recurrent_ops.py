"""Ops of layers with a state in NumPy: see `rushlight.backends.sequence_ops.RecurrentOps`."""

from __future__ import annotations

import numpy as np

from rushlight.backends.batch import Int32Array
from rushlight.backends.reference.pools import StatePool
from rushlight.backends.reference.recurrences import (
    gated_delta_net,
    linear_attention,
    short_conv,
    ssm_scan,
    wkv7,
)
from rushlight.backends.reference.values import StepOps, Values, as_array, as_vector
from rushlight.backends.tensors import Tensor, Weight


class ReferenceRecurrentOps(StepOps):
    """What reads and writes the states that `RecurrentCache` keeps."""

    def short_conv(self, x: Tensor, weight: Weight, layer: int, bias: Weight | None = None) -> Values:
        """The causal convolution of each column, one sequence after the other."""
        pool, blocks = self._states(layer)
        own = None if bias is None else as_vector(bias)
        return Values(short_conv(as_array(x), as_vector(weight), own, pool, self._batch, blocks))

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
        decay = np.exp(as_vector(a) * as_array(dt))
        n_head, head_dim = pool.states.shape[1:3]
        n_repeat = n_head * head_dim // k.n_columns
        shared = (as_array(x).reshape(len(decay), -1, head_dim) for x in (q, k))
        queries, keys = (
            np.repeat(x, n_repeat, axis=1) if grouped else np.tile(x, (1, n_repeat, 1)) for x in shared
        )
        qkv = queries, keys, as_array(v).reshape(len(decay), n_head, -1)
        return Values(gated_delta_net(qkv, decay[:, :, None], as_array(beta), pool, self._batch, blocks))

    def kda(self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor, layer: int) -> Values:
        """The gated delta rule with a decay for each row, token by token."""
        pool, blocks = self._states(layer)
        n_head = pool.states.shape[1]
        queries, keys, values, decays = (
            as_array(x).reshape(self._batch.n_tokens, n_head, -1) for x in (q, k, v, decay)
        )
        qkv = queries, keys, values
        return Values(gated_delta_net(qkv, decays, as_array(beta), pool, self._batch, blocks))

    def gated_linear_attention(
        self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor | Weight, layer: int
    ) -> Values:
        """Linear attention with decays, token by token."""
        decays = decay.array if isinstance(decay, Values) else as_vector(decay)
        pool, blocks = self._states(layer)
        rows = (*map(as_array, (q, k, v)), np.broadcast_to(decays, as_array(k).shape))
        inputs = [row.reshape(self._batch.n_tokens, pool.states.shape[1], -1) for row in rows]
        return Values(linear_attention(inputs, None, pool, self._batch, blocks))

    def wkv6(self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, bonus: Weight, layer: int) -> Values:
        """The linear attention of RWKV-6, token by token."""
        pool, blocks = self._states(layer)
        n_head = pool.states.shape[1]
        inputs = [as_array(x).reshape(self._batch.n_tokens, n_head, -1) for x in (r, k, v, decay)]
        own = as_vector(bonus).reshape(n_head, -1)
        return Values(linear_attention(inputs, own, pool, self._batch, blocks))

    def wkv7(
        self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, a: Tensor, b: Tensor, layer: int
    ) -> Values:
        """The generalized delta rule of RWKV-7, token by token."""
        pool, blocks = self._states(layer)
        n_head = pool.states.shape[1]
        inputs = [as_array(x).reshape(self._batch.n_tokens, n_head, -1) for x in (r, k, v, decay, a, b)]
        return Values(wkv7(inputs, pool, self._batch, blocks))

    def ssm_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Values:
        """The scan of Mamba-2, token by token."""
        pool, blocks = self._states(layer)
        steps = as_array(dt)
        n_head, n_state, _ = pool.states.shape[1:]
        groups = (as_array(rows).reshape(len(steps), -1, n_state) for rows in (b, c))
        added, read = (np.repeat(rows, n_head // rows.shape[1], axis=1) for rows in groups)
        inputs = as_array(x).reshape(len(steps), n_head, -1) * steps[:, :, None]
        decay = np.exp(as_vector(a) * steps)[:, :, None, None]
        y = ssm_scan(inputs, decay, added, read, pool, self._batch, blocks)
        return Values(y.reshape(len(steps), -1))

    def selective_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Values:
        """The scan of Mamba-1, token by token."""
        pool, blocks = self._states(layer)
        steps = as_array(dt)
        inputs = (as_array(x) * steps)[:, None]
        decay = np.exp(as_vector(a).reshape(-1, steps.shape[1]) * steps[:, None])[:, None]
        added, read = (as_array(rows)[:, None] for rows in (b, c))
        return Values(ssm_scan(inputs, decay, added, read, pool, self._batch, blocks)[:, 0])

    def _states(self, layer: int) -> tuple[StatePool, Int32Array]:
        """The pool of a layer with a state, and the block of each sequence in it."""
        pool = self._pools[layer]
        assert isinstance(pool, StatePool)
        return pool, self._batch.block_tables[self._layout.group_of_layer[layer]][:, 0]
