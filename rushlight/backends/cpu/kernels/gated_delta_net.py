"""The gated delta rule; `states` says how a state lies in memory and who computes what."""

from __future__ import annotations

from collections.abc import Callable

from rushlight.backends.cpu.kernels.states import ROW_BYTES, in_order, read_state
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import (
    exp,
    fma,
    load_f32,
    load_f32_partial,
    load_f32x16,
    splat_f32,
    store_f32_partial,
    store_f32x16,
)
from rushlight.backends.cpu.target import Target


@inline
def _token(op, token, head, column, state, count):
    """One token's step of up to 16 columns."""
    key_head = 4 * (head // op.n_run % op.n_head_kv) * op.head_dim_k  # n_run heads in a row share one
    q, k = op.q + token * op.q_stride + key_head, op.k + token * op.k_stride + key_head
    at = 4 * (head * op.head_dim_v + column)
    dt = splat_f32(load_f32(op.dt + token * op.dt_stride + 4 * head))
    beta = splat_f32(load_f32(op.beta + token * op.beta_stride + 4 * head))
    decay = exp(splat_f32(load_f32(op.a + 4 * head)) * dt)
    read = read_state(k, state, op.head_dim_k)
    v = load_f32_partial(op.v + token * op.v_stride + at, count)
    delta = beta * (v - decay * read)
    for i in range(op.head_dim_k):
        row = state + ROW_BYTES * i
        store_f32x16(row, fma(splat_f32(load_f32(k + 4 * i)), delta, decay * load_f32x16(row)))
    store_f32_partial(op.y + token * op.y_stride + at, read_state(q, state, op.head_dim_k), count)


@inline
def _faded_read(x, decay, state, n):
    """Fade every row by its own decay, and `read_state`."""
    zero = splat_f32(0.0)
    a, b, c, d = zero, zero, zero, zero
    for i in range(n):
        row = state + ROW_BYTES * i
        value = splat_f32(load_f32(decay + 4 * i)) * load_f32x16(row)
        store_f32x16(row, value)
        a, b, c, d = b, c, d, fma(value, splat_f32(load_f32(x + 4 * i)), a)
    return (a + b) + (c + d)


@inline
def _kda_token(op, token, head, column, state, count):
    """One token's step of up to 16 columns, with a decay for each row."""
    own = 4 * head * op.head_dim_k
    q, k = op.q + token * op.q_stride + own, op.k + token * op.k_stride + own
    at = 4 * (head * op.head_dim_v + column)
    beta = splat_f32(load_f32(op.beta + token * op.beta_stride + 4 * head))
    read = _faded_read(k, op.decay + token * op.decay_stride + own, state, op.head_dim_k)
    delta = beta * (load_f32_partial(op.v + token * op.v_stride + at, count) - read)
    for i in range(op.head_dim_k):
        row = state + ROW_BYTES * i
        store_f32x16(row, fma(splat_f32(load_f32(k + 4 * i)), delta, load_f32x16(row)))
    store_f32_partial(op.y + token * op.y_stride + at, read_state(q, state, op.head_dim_k), count)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The kernels, by name; see `Ops.gated_delta_net` and `Ops.kda`."""
    return {"gated_delta_net": in_order(_token), "kda": in_order(_kda_token)}
