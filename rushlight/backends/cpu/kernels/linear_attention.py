"""Linear attention: a state to which every token adds the product of its key and value, and that fades."""

from __future__ import annotations

from collections.abc import Callable

from rushlight.backends.cpu.kernels.states import ROW_BYTES, in_order, read_state
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import (
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
def _number(x, i):
    """The i-th number of a vector, in every lane."""
    return splat_f32(load_f32(x + 4 * i))


@inline
def _gated_token(op, token, head, column, state, count):
    """One token's step of up to 16 columns: the state that is read holds the token already."""
    own, at = 4 * head * op.head_dim_k, 4 * (head * op.head_dim_v + column)
    q, k = op.q + token * op.q_stride + own, op.k + token * op.k_stride + own
    decay = op.decay + token * op.decay_stride + own
    v = load_f32_partial(op.v + token * op.v_stride + at, count)
    zero = splat_f32(0.0)
    a, b, c, d = zero, zero, zero, zero
    for i in range(op.head_dim_k):
        row = state + ROW_BYTES * i
        value = fma(_number(k, i), v, _number(decay, i) * load_f32x16(row))
        store_f32x16(row, value)
        a, b, c, d = b, c, d, fma(value, _number(q, i), a)
    store_f32_partial(op.y + token * op.y_stride + at, (a + b) + (c + d), count)


@inline
def _wkv6_token(op, token, head, column, state, count):
    """One token's step of up to 16 columns: what is read is the state before, and the token with a bonus."""
    own, at = 4 * head * op.head_dim_k, 4 * (head * op.head_dim_v + column)
    r, k = op.r + token * op.r_stride + own, op.k + token * op.k_stride + own
    decay, bonus = op.decay + token * op.decay_stride + own, op.bonus + own
    v = load_f32_partial(op.v + token * op.v_stride + at, count)
    zero = splat_f32(0.0)
    a, b, c, d = zero, zero, zero, zero
    for i in range(op.head_dim_k):
        row = state + ROW_BYTES * i
        old, key = load_f32x16(row), _number(k, i)
        store_f32x16(row, fma(key, v, _number(decay, i) * old))
        a, b, c, d = b, c, d, fma(fma(_number(bonus, i) * key, v, old), _number(r, i), a)
    store_f32_partial(op.y + token * op.y_stride + at, (a + b) + (c + d), count)


@inline
def _wkv7_token(op, token, head, column, state, count):
    """One token's step of up to 16 columns: what `a` reads of the state before is added along `b`."""
    own, at = 4 * head * op.head_dim_k, 4 * (head * op.head_dim_v + column)
    r, k = op.r + token * op.r_stride + own, op.k + token * op.k_stride + own
    decay, along = op.decay + token * op.decay_stride + own, op.b + token * op.b_stride + own
    v = load_f32_partial(op.v + token * op.v_stride + at, count)
    read = read_state(op.a + token * op.a_stride + own, state, op.head_dim_k)
    zero = splat_f32(0.0)
    a, b, c, d = zero, zero, zero, zero
    for i in range(op.head_dim_k):
        row = state + ROW_BYTES * i
        value = fma(_number(k, i), v, _number(decay, i) * load_f32x16(row))
        value = fma(_number(along, i), read, value)
        store_f32x16(row, value)
        a, b, c, d = b, c, d, fma(value, _number(r, i), a)
    store_f32_partial(op.y + token * op.y_stride + at, (a + b) + (c + d), count)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The kernels, by name; see `Ops.gated_linear_attention`, `Ops.wkv6` and `Ops.wkv7`."""
    return {
        "gated_linear_attention": in_order(_gated_token),
        "wkv6": in_order(_wkv6_token),
        "wkv7": in_order(_wkv7_token),
    }
