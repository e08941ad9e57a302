"""Weights whose every bit is random."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from helpers.cpu import tensor
from numpy.typing import NDArray

from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.gguf.types import row_bytes
from rushlight.quants import BLOCK_DTYPES, dequantize, quantize
from rushlight.quants.convert import QUANTIZABLE

FLOAT_TYPES = (GGMLType.F32, GGMLType.F16, GGMLType.BF16)


def get_iq1_m_scale(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """The half of IQ1_M blocks, which lies in the top four bits of four words."""
    nibbles = (blocks["scales"] >> np.uint16(12)) << np.arange(0, 16, 4, dtype=np.uint16)
    return np.bitwise_or.reduce(nibbles, axis=-1).view(np.float16).astype(np.float32)


def set_iq1_m_scale(blocks: NDArray[Any], d: NDArray[Any]) -> None:
    """Put a half into those bits."""
    bits = d.astype(np.float16).view(np.uint16)[..., None]
    nibbles = (bits >> np.arange(0, 16, 4, dtype=np.uint16)) << np.uint16(12)
    blocks["scales"] = (blocks["scales"] & np.uint16(0x0FFF)) | nibbles


def random_weights(type: GGMLType, n_rows: int, n_columns: int, seed: int = 0) -> GGUFTensor:
    """Every bit at random, but scales and minima near 1/100 (floating-point types: near 1)."""
    rng = np.random.default_rng(seed)
    if type in FLOAT_TYPES:
        return tensor(rng.standard_normal((n_rows, n_columns)), type)
    raw = rng.integers(0, 256, (n_rows, row_bytes(type, n_columns)), np.uint8)
    blocks = raw.view(BLOCK_DTYPES[type])
    for name in sorted({"d", "m", "dmin"} & set(blocks.dtype.names or ())):
        if blocks.dtype[name].kind == "f":
            blocks[name] = rng.standard_normal(blocks.shape) / 100
    if type is GGMLType.MXFP4:
        blocks["e"] = rng.integers(118, 124, blocks.shape)
    if type is GGMLType.NVFP4:
        blocks["d"] = rng.integers(8, 48, blocks["d"].shape)
    if type is GGMLType.IQ1_M:
        set_iq1_m_scale(blocks, rng.standard_normal(blocks.shape) / 100)
    return GGUFTensor("random.weight", (n_rows, n_columns), type, raw)


def blocks_like(values: NDArray[np.float32], type: GGMLType, seed: int) -> NDArray[np.uint8]:
    """`values` [N, K] quantized; of a type that is not written, random blocks that spread as far, roughly."""
    if type in QUANTIZABLE:
        return quantize(values, type)
    raw = random_weights(type, *values.shape, seed).raw
    factor = values.std() / dequantize(raw, type).std()
    blocks = raw.view(BLOCK_DTYPES[type])
    if type is GGMLType.NVFP4:  # eight more of the byte are a factor of two
        blocks["d"] = np.clip(blocks["d"].astype(int) + round(8 * math.log2(factor)), 0, 126)
        return raw
    for name in sorted({"d", "dmin"} & set(blocks.dtype.names or ())):
        blocks[name] = blocks[name].astype(np.float32) * factor
    if type is GGMLType.IQ1_M:
        set_iq1_m_scale(blocks, get_iq1_m_scale(blocks) * factor)
    return raw
