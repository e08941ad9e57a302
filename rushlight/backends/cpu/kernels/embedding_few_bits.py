"""Rows of the embedding table in the types of one to three bits and in Q8_K; see `embedding`."""

from __future__ import annotations

from typing import Any

from numba import types

from rushlight.backends.cpu.kernels.packing_few_bits import q3_k_scale, trit
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import load_f16, load_f32, load_u8, store_f32


@inline
def _q1_0(source, target, scale):
    d = load_f16(source)
    for i in range(128):
        value = d
        if (load_u8(source + 2 + i // 8) >> (i % 8)) & 1 == 0:
            value = -d
        store_f32(target + 4 * i, value * scale)


@inline
def _q2_0(source, target, scale):
    d = load_f16(source)
    for i in range(64):
        q = (load_u8(source + 2 + i // 4) >> (i % 4 * 2)) & 3
        store_f32(target + 4 * i, d * types.float32(q - 1) * scale)


@inline
def _byte_pair(qs, i):
    """Column i of 256, 128 of them in 32 bytes."""
    return (load_u8(qs + 32 * (i // 128) + i % 32) >> (i % 128 // 32 * 2)) & 3


@inline
def _tq1_0(source, target, scale):
    d = load_f16(source + 52)
    for i in range(256):
        store_f32(target + 4 * i, d * types.float32(trit(source, i) - 1) * scale)


@inline
def _tq2_0(source, target, scale):
    d = load_f16(source + 64)
    for i in range(256):
        store_f32(target + 4 * i, d * types.float32(_byte_pair(source, i) - 1) * scale)


@inline
def _q2_k(source, target, scale):
    d, dmin = load_f16(source + 80), load_f16(source + 82)
    for i in range(256):
        scales = load_u8(source + i // 16)
        run_scale, minimum = d * types.float32(scales & 15), dmin * types.float32(scales >> 4)
        value = run_scale * types.float32(_byte_pair(source + 16, i)) - minimum
        store_f32(target + 4 * i, value * scale)


@inline
def _q3_k(source, target, scale):
    d = load_f16(source + 108)
    for i in range(256):
        run_scale = d * types.float32(q3_k_scale(source + 96, i // 16))
        third = (load_u8(source + i % 32) >> (i // 32)) & 1
        q = (_byte_pair(source + 32, i) | (third << 2)) - 4
        store_f32(target + 4 * i, run_scale * types.float32(q) * scale)


@inline
def _q8_k(source, target, scale):
    d = load_f32(source)
    for i in range(256):
        q = (load_u8(source + 4 + i) ^ 128) - 128
        store_f32(target + 4 * i, d * types.float32(q) * scale)


FEW_BIT_BLOCKS: dict[str, Any] = {
    "q1_0": _q1_0,
    "q2_0": _q2_0,
    "tq1_0": _tq1_0,
    "tq2_0": _tq2_0,
    "q2_k": _q2_k,
    "q3_k": _q3_k,
    "q8_k": _q8_k,
}
