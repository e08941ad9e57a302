"""Keys and values into the paged cache.

A block holds, for each key-value head, keys as [head size][position] and values as [position][head size],
the head size of values padded to a multiple of 16: so that 16 lanes are 16 positions in one product and 16
columns in the other. Values outside the range of halves are clamped and NaN becomes the lowest number, so
that a block that is used again can never poison another sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba import types

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.kernels.work import inline, smaller, take
from rushlight.backends.cpu.simd import (
    above,
    load_f16_run,
    load_f16x16,
    load_f32,
    load_f32_run,
    load_f32x16,
    load_i32,
    load_i64,
    select,
    splat_f32,
    store_f16,
    store_f16_lanes,
    store_f16x16,
    store_f32,
    store_f32_lanes,
    store_f32x16,
)
from rushlight.backends.cpu.target import Target


@dataclass(frozen=True)
class KVFormat:
    """How the cache keeps a number."""

    load: Any
    load_run: Any
    store: Any
    store_lanes: Any
    store_vector: Any
    itemsize: int
    largest: float


KV_FORMATS = {
    "f16": KVFormat(load_f16x16, load_f16_run, store_f16, store_f16_lanes, store_f16x16, 2, 65504.0),
    "f32": KVFormat(
        load_f32x16, load_f32_run, store_f32, store_f32_lanes, store_f32x16, 4, 3.4028234663852886e38
    ),
}


@inline
def block_of(step, group, sequence, index):
    """Entry of a block table."""
    table = step.tables + 16 * group
    return types.intp(load_i32(load_i64(table) + sequence * load_i64(table + 8) + 4 * index))


@inline
def _clamp(value, largest):
    # Comparisons with NaN are false, so NaN takes the second branch.
    lowest = types.float32(-largest)
    raised = value if value > lowest else lowest
    return largest if raised > largest else raised


@inline
def _clamp_lanes(values, largest):
    lowest, highest = splat_f32(types.float32(-largest)), splat_f32(largest)
    raised = select(above(values, lowest), values, lowest)
    return select(above(raised, highest), highest, raised)


def _store_kv(format: KVFormat) -> Callable[..., None]:
    store, store_lanes, store_vector = format.store, format.store_lanes, format.store_vector
    itemsize, largest = format.itemsize, format.largest

    @inline
    def store_head(op, step, token, head):
        limit = types.float32(largest)
        padded = (op.head_dim_v + 15) // 16 * 16
        position = types.intp(load_i32(step.positions + 4 * token))
        sequence = types.intp(load_i32(step.token_seq + 4 * token))
        block = block_of(step, op.group, sequence, position // BLOCK_TOKENS)
        row, slot = (block * op.n_head_kv + head) * BLOCK_TOKENS, position % BLOCK_TOKENS
        source, stride = op.k + token * op.k_stride + 4 * head * op.head_dim_k, BLOCK_TOKENS * itemsize
        target, whole = op.k_cache + (row * op.head_dim_k + slot) * itemsize, op.head_dim_k // 16 * 16
        for i in range(0, whole, 16):
            store_lanes(target + i * stride, stride, _clamp_lanes(load_f32x16(source + 4 * i), limit))
        for i in range(whole, op.head_dim_k):
            store(target + i * stride, _clamp(load_f32(source + 4 * i), limit))
        source = op.v + token * op.v_stride + 4 * head * op.head_dim_v
        target, whole = op.v_cache + (row + slot) * padded * itemsize, op.head_dim_v // 16 * 16
        for i in range(0, whole, 16):
            store_vector(target + i * itemsize, _clamp_lanes(load_f32x16(source + 4 * i), limit))
        for i in range(whole, op.head_dim_v):
            store(target + i * itemsize, _clamp(load_f32(source + 4 * i), limit))

    def kernel(op, step, thread, n_threads):
        n_tokens = step.n_tokens
        # Keys of neighbouring tokens share cache lines, which two threads had better not.
        run = 1 if n_tokens < BLOCK_TOKENS else BLOCK_TOKENS
        pieces = (n_tokens + run - 1) // run * op.n_head_kv
        piece = thread
        while piece < pieces:
            start = piece // op.n_head_kv * run
            for token in range(start, smaller(n_tokens, start + run)):
                store_head(op, step, token, piece % op.n_head_kv)
            piece = take(op, pieces, n_threads)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each dtype of the cache, by name."""
    return {f"store_kv_{name}": _store_kv(format) for name, format in KV_FORMATS.items()}
