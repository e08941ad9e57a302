"""IQ4_NL and IQ4_XS: four bits that choose one of 16 levels, closer together near zero.

IQ4_NL: 32 values ``d * level``, the first 16 in the low halves of bytes. IQ4_XS: 256 values, 8 such groups,
``d * (s - 32) * level``: the low four bits of the scales s are in `scales_l`, low halves first, and two upper
bits each in `scales_h`.

Source: ``ggml-quants.c`` in ggml; dequantization is, bit for bit, that of gguf-py's ``quants.py``.
"""

from __future__ import annotations

import numpy as np

from rushlight.quants.blocks import QK_K, Blocks, Bytes, Floats

LEVELS = np.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.int8
)  # fmt: skip


def dequantize_iq4_nl(blocks: Blocks) -> Floats:
    """[N] IQ4_NL to float32 [N, 32]."""
    q = np.concatenate([blocks["qs"] & np.uint8(15), blocks["qs"] >> np.uint8(4)], axis=1)
    values: Floats = blocks["d"].astype(np.float32)[:, None] * LEVELS[q].astype(np.float32)
    return values


def iq4_xs_scales(blocks: Blocks) -> Bytes:
    """The six bits of the scales of [N] IQ4_XS: uint8 [N, 8]."""
    low = (blocks["scales_l"][:, :, None] >> np.array([0, 4], np.uint8)).reshape(-1, 8) & np.uint8(15)
    high = (blocks["scales_h"][:, None] >> np.arange(0, 16, 2, dtype=np.uint16)).astype(np.uint8)
    scales: Bytes = low | ((high & np.uint8(3)) << np.uint8(4))
    return scales


def dequantize_iq4_xs(blocks: Blocks) -> Floats:
    """[N] IQ4_XS to float32 [N, 256]."""
    scales = iq4_xs_scales(blocks).astype(np.int8) - np.int8(32)
    d = blocks["d"].astype(np.float32)[:, None] * scales.astype(np.float32)
    groups = blocks["qs"].reshape(-1, 8, 16)
    q = np.concatenate([groups & np.uint8(15), groups >> np.uint8(4)], axis=2)
    values: Floats = d[:, :, None] * LEVELS[q].astype(np.float32)
    return values.reshape(-1, QK_K)
