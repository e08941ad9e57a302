"""Rows of the embedding table: the blocks of the file become float32, times a scale.

Bit for bit what `quants.dequantize` gives, then multiplied; each function is the twin of one there, and takes
one block at `source` (ggml's ``block_*`` structs) to its columns at `target`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from rushlight.backends.cpu.kernels.embedding_codebooks import CODEBOOK_BLOCKS
from rushlight.backends.cpu.kernels.embedding_few_bits import FEW_BIT_BLOCKS
from rushlight.backends.cpu.kernels.embedding_tables import TABLE_BLOCKS
from rushlight.backends.cpu.kernels.work import inline, take
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.simd import load_bf16, load_f16, load_f32, load_i32, load_u8, load_u32, store_f32
from rushlight.backends.cpu.target import Target


@inline
def _f32(source, target, scale):
    store_f32(target, load_f32(source) * scale)


@inline
def _f16(source, target, scale):
    store_f32(target, load_f16(source) * scale)


@inline
def _bf16(source, target, scale):
    store_f32(target, load_bf16(source) * scale)


@inline
def _fifth_bit(bits, column):
    return ((bits >> column) & 1) << 4


@inline
def _symmetric(source, target, scale, d, bits, zero):
    """32 columns ``d * (q - zero)``; `bits` are the fifth bits of q."""
    for i in range(16):
        byte = load_u8(source + i)
        low, high = (byte & 15) | _fifth_bit(bits, i), (byte >> 4) | _fifth_bit(bits, 16 + i)
        store_f32(target + 4 * i, d * types.float32(low - zero) * scale)
        store_f32(target + 64 + 4 * i, d * types.float32(high - zero) * scale)


@inline
def _offset(source, target, scale, d, m, bits):
    """32 columns ``d * q + m``."""
    for i in range(16):
        byte = load_u8(source + i)
        low, high = (byte & 15) | _fifth_bit(bits, i), (byte >> 4) | _fifth_bit(bits, 16 + i)
        store_f32(target + 4 * i, (d * types.float32(low) + m) * scale)
        store_f32(target + 64 + 4 * i, (d * types.float32(high) + m) * scale)


@inline
def _q4_0(source, target, scale):
    _symmetric(source + 2, target, scale, load_f16(source), 0, 8)


@inline
def _q4_1(source, target, scale):
    _offset(source + 4, target, scale, load_f16(source), load_f16(source + 2), 0)


@inline
def _q5_0(source, target, scale):
    _symmetric(source + 6, target, scale, load_f16(source), load_u32(source + 2), 16)


@inline
def _q5_1(source, target, scale):
    _offset(source + 8, target, scale, load_f16(source), load_f16(source + 2), load_u32(source + 4))


@inline
def _signed_byte(address):
    return (load_u8(address) ^ 128) - 128


@inline
def _q8_0(source, target, scale):
    d = load_f16(source)
    for i in range(32):
        store_f32(target + 4 * i, types.float32(_signed_byte(source + 2 + i)) * d * scale)


@inline
def _six_bits(scales, block, half):
    """The scale (`half` 0) or the minimum (1) of one of 8 blocks, out of the 12 bytes of all."""
    if block < 4:
        return load_u8(scales + 4 * half + block) & 63
    low = (load_u8(scales + 4 + block) >> (4 * half)) & 15
    return low | ((load_u8(scales + 4 * half + block - 4) >> 6) << 4)


@inline
def _superblock(source, target, scale, q, fifth_bits):
    """256 columns of Q4_K or Q5_K: ``d * q - m`` with a scale and a minimum for each 32 of them."""
    d, dmin = load_f16(source), load_f16(source + 2)
    for block in range(8):
        block_scale = d * types.float32(_six_bits(source + 4, block, 0))
        minimum = dmin * types.float32(_six_bits(source + 4, block, 1))
        for i in range(32):
            value = (load_u8(q + 32 * (block // 2) + i) >> (4 * (block % 2))) & 15
            if fifth_bits != 0:
                value |= ((load_u8(fifth_bits + i) >> block) & 1) << 4
            result = (block_scale * types.float32(value) - minimum) * scale
            store_f32(target + 4 * (32 * block + i), result)


@inline
def _q4_k(source, target, scale):
    _superblock(source, target, scale, source + 16, 0)


@inline
def _q5_k(source, target, scale):
    _superblock(source, target, scale, source + 48, source + 16)


@inline
def _q6_k(source, target, scale):
    d = load_f16(source + 208)
    for run in range(16):
        half, quarter, first = run // 8, run % 8 // 2, run % 2 * 16
        run_scale = d * types.float32(_signed_byte(source + 192 + run))
        for i in range(16):
            low = load_u8(source + 64 * half + quarter % 2 * 32 + first + i) >> (quarter // 2 * 4)
            high = load_u8(source + 128 + 32 * half + first + i) >> (2 * quarter)
            value = ((low & 15) | ((high & 3) << 4)) - 32
            store_f32(target + 4 * (16 * run + i), run_scale * types.float32(value) * scale)


BLOCKS: dict[str, Any] = {
    "f32": _f32,
    "f16": _f16,
    "bf16": _bf16,
    "q4_0": _q4_0,
    "q4_1": _q4_1,
    "q5_0": _q5_0,
    "q5_1": _q5_1,
    "q8_0": _q8_0,
    "q4_k": _q4_k,
    "q5_k": _q5_k,
    "q6_k": _q6_k,
    **FEW_BIT_BLOCKS,
    **TABLE_BLOCKS,
    **CODEBOOK_BLOCKS,
}


def _kernel(dequantize: Any, columns: int, block_bytes: int) -> Callable[..., None]:
    """A row of `n` columns for each token of the step."""

    def kernel(op, step, thread, n_threads):
        token = thread
        while token < step.n_tokens:
            source = op.x + types.intp(load_i32(step.token_ids + 4 * token)) * op.x_stride
            target = op.y + token * op.y_stride
            for block in range(op.n // columns):
                dequantize(source + block * block_bytes, target + block * columns * 4, op.scale)
            token = take(op, step.n_tokens, n_threads)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each type, by name."""
    return {
        f"embed_{name}": _kernel(block, LAYOUTS[name].columns, LAYOUTS[name].block_bytes)
        for name, block in BLOCKS.items()
    }
