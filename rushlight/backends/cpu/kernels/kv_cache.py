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
from rushlight.backends.cpu.kernels.work import inline, take
from rushlight.backends.cpu.simd import (
    load_f16x16,
    load_f32,
    load_f32x16,
    load_i32,
    load_i64,
    store_f16,
    store_f32,
)
from rushlight.backends.cpu.target import Target


@dataclass(frozen=True)
class KVFormat:
    """How the cache keeps a number."""

    load: Any
    store: Any
    itemsize: int
    largest: float


KV_FORMATS = {
    "f16": KVFormat(load_f16x16, store_f16, 2, 65504.0),
    "f32": KVFormat(load_f32x16, store_f32, 4, 3.4028234663852886e38),
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


def _store_kv(format: KVFormat) -> Callable[..., None]:
    store, itemsize, largest = format.store, format.itemsize, format.largest

    def kernel(op, step, thread, n_threads):
        limit = types.float32(largest)
        padded = (op.head_dim_v + 15) // 16 * 16
        token = take(op)
        while token < step.n_tokens:
            position = types.intp(load_i32(step.positions + 4 * token))
            slot = position % BLOCK_TOKENS
            sequence = types.intp(load_i32(step.token_seq + 4 * token))
            block = block_of(step, op.group, sequence, position // BLOCK_TOKENS)
            for head in range(op.n_head_kv):
                row = (block * op.n_head_kv + head) * BLOCK_TOKENS
                source = op.k + token * op.k_stride + 4 * head * op.head_dim_k
                target = op.k_cache + (row * op.head_dim_k + slot) * itemsize
                for i in range(op.head_dim_k):
                    store(target + i * BLOCK_TOKENS * itemsize, _clamp(load_f32(source + 4 * i), limit))
                source = op.v + token * op.v_stride + 4 * head * op.head_dim_v
                target = op.v_cache + (row + slot) * padded * itemsize
                for i in range(op.head_dim_v):
                    store(target + i * itemsize, _clamp(load_f32(source + 4 * i), limit))
            token = take(op)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each dtype of the cache, by name."""
    return {f"store_kv_{name}": _store_kv(format) for name, format in KV_FORMATS.items()}
