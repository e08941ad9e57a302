"""MXFP4 and NVFP4: numbers of four bits (sign, two of exponent, one of mantissa) with scales of eight.

MXFP4: 32 values with a power of two, ``2^(e - 127)``, the first 16 in the low halves of bytes. NVFP4: 64
values in groups of 16, whose scale is an unsigned number with four bits of exponent and three of mantissa; a
group's first 8 values are the low halves of its 8 bytes. The table holds the numbers doubled, so that they
are whole, and the scales are halved.

Source: Open Compute Project 2023, "Microscaling Formats (MX)", and ``ggml-impl.h`` in ggml; the arithmetic
is, bit for bit, that of gguf-py's ``quants.py``.
"""

from __future__ import annotations

import numpy as np

from rushlight.errors import InvalidParameter
from rushlight.gguf.types import GGMLType
from rushlight.quants.blocks import BLOCK_DTYPES, QK, Blocks, Bytes, Floats

DOUBLED_FP4 = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.int8)


def half_power(e: Bytes) -> Floats:
    """``2^(e - 128)``, float32; subnormal for 0 and 1."""
    bits = np.where(e < 2, np.uint32(0x00200000) << e.astype(np.uint32), (e.astype(np.uint32) - 1) << 23)
    powers: Floats = bits.astype(np.uint32).view(np.float32)
    return powers


def half_ue4m3(x: Bytes) -> Floats:
    """Half of an unsigned number with four bits of exponent, float32; 0x7F, which would be NaN, is 0."""
    exponent, mantissa = ((x >> np.uint8(3)) & np.uint8(15)).astype(np.int32), x & np.uint8(7)
    fraction = mantissa.astype(np.float32) / np.float32(8)
    normal = np.ldexp(np.float32(1) + fraction, exponent - 8)
    values: Floats = np.where(exponent == 0, np.ldexp(fraction, -7), normal)
    return np.where(x == 0x7F, np.float32(0), values)


def dequantize_mxfp4(blocks: Blocks) -> Floats:
    """[N] MXFP4 to float32 [N, 32]."""
    q = np.concatenate([blocks["qs"] & np.uint8(15), blocks["qs"] >> np.uint8(4)], axis=1)
    values: Floats = half_power(blocks["e"])[:, None] * DOUBLED_FP4[q].astype(np.float32)
    return values


def dequantize_nvfp4(blocks: Blocks) -> Floats:
    """[N] NVFP4 to float32 [N, 64]."""
    groups = blocks["qs"].reshape(-1, 4, 8)
    q = np.concatenate([groups & np.uint8(15), groups >> np.uint8(4)], axis=2)
    values: Floats = half_ue4m3(blocks["d"])[:, :, None] * DOUBLED_FP4[q].astype(np.float32)
    return values.reshape(-1, 64)


def quantize_mxfp4(values: Floats) -> Blocks:
    """float32 [N, 32] to [N] MXFP4. Raises InvalidParameter above 2^129."""
    largest = np.abs(values).max(axis=1)
    e = np.where(largest > 0, np.floor(np.log2(largest)) - np.float32(2) + np.float32(127), 0)
    if (e > 255).any():
        raise InvalidParameter(f"The values are too large for MXFP4: the largest is {largest.max():.4g}.")
    e = np.maximum(e, 0).astype(np.uint8)
    steps = half_power(e)[:, None, None] * DOUBLED_FP4.astype(np.float32)
    q = np.abs(steps - values[:, :, None]).argmin(axis=2).astype(np.uint8)
    blocks = np.empty(len(values), BLOCK_DTYPES[GGMLType.MXFP4])
    blocks["e"] = e
    blocks["qs"] = q[:, : QK // 2] | (q[:, QK // 2 :] << np.uint8(4))
    return blocks
