"""Layers with a state, in NumPy: one sequence after the other, from what its block of the pool holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rushlight.backends.batch import Batch, Int32Array
from rushlight.backends.reference.pools import StatePool
from rushlight.backends.tensors import Float32Array


def short_conv(
    x: Float32Array,
    weight: Float32Array,
    bias: Float32Array | None,
    pool: StatePool,
    batch: Batch,
    blocks: Int32Array,
) -> Float32Array:
    """`Ops.short_conv` of x [T, C].

    Args:
        x: inputs.
        weight: [K * C], tap after tap.
        bias: [C], if there is one.
        pool: keeps the last rows.
        batch: of the step.
        blocks: [S], the block of each sequence.
    """
    n_kept = pool.conv.shape[1]
    taps = weight.reshape(n_kept + 1, x.shape[1])
    out = np.zeros_like(x)
    if bias is not None:
        out += bias
    for s, block in enumerate(blocks):
        tokens = slice(batch.query_start[s], batch.query_start[s + 1])
        if batch.positions[tokens][0] == 0:
            pool.conv[block] = 0
        seen = np.concatenate([pool.conv[block], x[tokens]])
        for k, tap in enumerate(taps):
            out[tokens] += tap * seen[k : len(seen) - n_kept + k]
        pool.conv[block] = seen[len(seen) - n_kept :]
    return out


def _begun(pool: StatePool, batch: Batch, blocks: Int32Array) -> Iterator[tuple[int, int]]:
    """Every token and the block of its sequence, whose state is zeros where the sequence begins."""
    for s, block in enumerate(blocks):
        start, stop = batch.query_start[s], batch.query_start[s + 1]
        if batch.positions[start] == 0:
            pool.states[block] = 0
        for t in range(start, stop):
            yield t, block


def gated_delta_net(
    qkv: tuple[Float32Array, Float32Array, Float32Array],
    decay: Float32Array,
    beta: Float32Array,
    pool: StatePool,
    batch: Batch,
    blocks: Int32Array,
) -> Float32Array:
    """`Ops.gated_delta_net`: [T, H * Dv].

    Args:
        qkv: queries and keys [T, H, D], those of every head, and values [T, H, Dv].
        decay: [T, H, D or 1], what the rows of the state are multiplied by.
        beta: [T, H].
        pool: keeps the states.
        batch: of the step.
        blocks: [S], the block of each sequence.
    """
    q, k, v = qkv
    out = np.empty_like(v)
    for t, block in _begun(pool, batch, blocks):
        state = pool.states[block]
        state *= decay[t, :, :, None]
        read = (k[t, :, None] @ state)[:, 0]
        delta = beta[t, :, None] * (v[t] - read)
        state += k[t, :, :, None] * delta[:, None]
        out[t] = (q[t, :, None] @ state)[:, 0]
    return out.reshape(batch.n_tokens, -1)


def linear_attention(
    inputs: Sequence[Float32Array],
    bonus: Float32Array | None,
    pool: StatePool,
    batch: Batch,
    blocks: Int32Array,
) -> Float32Array:
    """`Ops.gated_linear_attention`, and `Ops.wkv6` where there is a bonus: [T, H * Dv].

    Args:
        inputs: queries, keys, values and decays of each head, [T, H, D or Dv].
        bonus: [H, D].
        pool: keeps the states.
        batch: of the step.
        blocks: [S], the block of each sequence.
    """
    q, k, v, decay = inputs
    out = np.empty_like(v)
    for t, block in _begun(pool, batch, blocks):
        state = pool.states[block]
        added = k[t, :, :, None] * v[t, :, None]
        if bonus is not None:
            out[t] = (q[t, :, None] @ (state + bonus[:, :, None] * added))[:, 0]
        state *= decay[t, :, :, None]
        state += added
        if bonus is None:
            out[t] = (q[t, :, None] @ state)[:, 0]
    return out.reshape(batch.n_tokens, -1)


def wkv7(inputs: Sequence[Float32Array], pool: StatePool, batch: Batch, blocks: Int32Array) -> Float32Array:
    """`Ops.wkv7`: [T, H * Dv].

    Args:
        inputs: r, k, v, decays, a and b of each head, [T, H, D or Dv].
        pool: keeps the states.
        batch: of the step.
        blocks: [S], the block of each sequence.
    """
    r, k, v, decay, a, b = inputs
    out = np.empty_like(v)
    for t, block in _begun(pool, batch, blocks):
        state = pool.states[block]
        read = a[t, :, None] @ state
        state *= decay[t, :, :, None]
        state += k[t, :, :, None] * v[t, :, None] + b[t, :, :, None] * read
        out[t] = (r[t, :, None] @ state)[:, 0]
    return out.reshape(batch.n_tokens, -1)


def ssm_scan(
    x: Float32Array,
    decay: Float32Array,
    b: Float32Array,
    c: Float32Array,
    pool: StatePool,
    batch: Batch,
    blocks: Int32Array,
) -> Float32Array:
    """`Ops.ssm_scan` and `Ops.selective_scan`: [T, H, D].

    Args:
        x: [T, H, D], inputs times their steps.
        decay: [T, H, N or 1, D or 1], what the state is multiplied by.
        b, c: [T, H, N], those of every head.
        pool: keeps the states, H * N * D numbers each.
        batch: of the step.
        blocks: [S], the block of each sequence.
    """
    out = np.empty_like(x)
    for t, block in _begun(pool, batch, blocks):
        state = pool.states[block].reshape(*b.shape[1:], x.shape[2])
        state *= decay[t]
        state += b[t, :, :, None] * x[t, :, None]
        out[t] = (c[t, :, None] @ state)[:, 0]
    return out
