"""Q2_K, Q3_K, Q8_K: blocks of 256 values, in 16 groups of 16 with a scale each; Q8_K has one scale for all.

In Q2_K and Q3_K, each half of 128 values has 32 bytes of `qs`, with the two bits of values `l`, ``l + 32``,
``l + 64`` and ``l + 96`` of the half, the first lowest.

Q2_K: a value of group `g` is ``d * s * q - dmin * m``, with s and m the low and the high half of
``scales[g]``. Q3_K: ``d * (s - 32) * (q - 4)``, with the third bit of value `l` of each 32 in `hmask`, at the
bit of its number among the 8 of them. The scales s have six bits: 16 low halves in 8 bytes, the low ones
first, then 16 pairs of upper bits in 4 bytes. Q8_K: ``d * q``; the sums of 16 integers each are not used.

Source: ``ggml-quants.c`` in ggml; dequantization is, bit for bit, that of gguf-py's ``quants.py``, and of
``dequantize_row_q8_K`` in ggml for Q8_K.
"""

from __future__ import annotations

import numpy as np

from rushlight.gguf.types import GGMLType
from rushlight.quants.blocks import BLOCK_DTYPES, QK_K, Blocks, Bytes, Floats
from rushlight.quants.halves import inverse

_PAIRS = np.arange(0, 8, 2, dtype=np.uint8)[:, None]


def unpack_pairs(qs: Bytes) -> Bytes:
    """Two-bit integers: bytes [N, n] to [N, 4 n], the lowest pairs of each 32 bytes first."""
    pairs: Bytes = (qs.reshape(len(qs), -1, 1, 32) >> _PAIRS) & np.uint8(3)
    return pairs.reshape(len(qs), -1)


def pack_pairs(q: Bytes) -> Bytes:
    """The inverse of `unpack_pairs`."""
    packed: Bytes = np.bitwise_or.reduce(q.reshape(len(q), -1, 4, 32) << _PAIRS, axis=2)
    return packed.reshape(len(q), -1)


def dequantize_q2_k(blocks: Blocks) -> Floats:
    """[N] Q2_K to float32 [N, 256]."""
    scales = blocks["scales"]
    d = blocks["d"].astype(np.float32)[:, None] * (scales & np.uint8(15)).astype(np.float32)
    m = blocks["dmin"].astype(np.float32)[:, None] * (scales >> np.uint8(4)).astype(np.float32)
    q = unpack_pairs(blocks["qs"]).reshape(-1, 16, 16).astype(np.float32)
    values: Floats = (d[:, :, None] * q - m[:, :, None]).reshape(-1, QK_K)
    return values


def q3_k_scales(blocks: Blocks) -> Bytes:
    """The six bits of the scales of [N] Q3_K: uint8 [N, 16]."""
    low, high = blocks["scales"][:, None, :8], blocks["scales"][:, None, 8:]
    halves = (low >> np.array([[0], [4]], np.uint8)).reshape(-1, 16) & np.uint8(15)
    upper = (high >> _PAIRS).reshape(-1, 16) & np.uint8(3)
    scales: Bytes = halves | (upper << np.uint8(4))
    return scales


def dequantize_q3_k(blocks: Blocks) -> Floats:
    """[N] Q3_K to float32 [N, 256]."""
    scales = q3_k_scales(blocks).astype(np.int8) - np.int8(32)
    d = blocks["d"].astype(np.float32)[:, None] * scales.astype(np.float32)
    third = (blocks["hmask"][:, None, :] >> np.arange(8, dtype=np.uint8)[:, None]) & np.uint8(1)
    q = unpack_pairs(blocks["qs"]) | (third.reshape(-1, QK_K) << np.uint8(2))
    centred = (q.astype(np.int8) - np.int8(4)).reshape(-1, 16, 16)
    values: Floats = (d[:, :, None] * centred.astype(np.float32)).reshape(-1, QK_K)
    return values


def dequantize_q8_k(blocks: Blocks) -> Floats:
    """[N] Q8_K to float32 [N, 256]."""
    values: Floats = blocks["d"].astype(np.float32)[:, None] * blocks["qs"].astype(np.float32)
    return values


def quantize_q8_k(values: Floats) -> Blocks:
    """float32 [N, 256] to [N] Q8_K: the value of the largest magnitude becomes -127."""
    largest = np.take_along_axis(values, np.abs(values).argmax(axis=1, keepdims=True), axis=1)
    per_value = np.divide(np.float32(-127), largest, out=np.zeros_like(largest), where=largest != 0)
    q = np.minimum(np.rint(per_value * values), np.float32(127)).astype(np.int8)
    blocks = np.zeros(len(values), BLOCK_DTYPES[GGMLType.Q8_K])
    blocks["d"] = inverse(per_value)[:, 0]
    blocks["qs"] = q
    blocks["bsums"] = q.reshape(-1, 16, 16).sum(axis=2, dtype=np.int16)
    return blocks
