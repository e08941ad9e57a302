"""F32, F16 and BF16: one value is one block.

BF16 is the upper half of a float32. Rounding to it is to nearest, ties to even.

Source: ``ggml-impl.h`` in ggml.
"""

from __future__ import annotations

import numpy as np

from rushlight.errors import InvalidParameter
from rushlight.quants.blocks import Blocks, Floats
from rushlight.quants.halves import to_half


def quantize_f32(values: Floats) -> Blocks:
    """float32 [N, 1] to [N] F32."""
    return values.astype("<f4").reshape(-1)


def dequantize_f16(blocks: Blocks) -> Floats:
    """[N] F16 to float32 [N, 1]."""
    return blocks.reshape(-1, 1).astype(np.float32)


def quantize_f16(values: Floats) -> Blocks:
    """float32 [N, 1] to [N] F16. Raises InvalidParameter above 65504."""
    return to_half(values, "F16").reshape(-1)


def dequantize_bf16(blocks: Blocks) -> Floats:
    """[N] BF16, as uint16, to float32 [N, 1]."""
    values: Floats = (blocks.astype(np.uint32) << np.uint32(16)).view(np.float32).reshape(-1, 1)
    return values


def quantize_bf16(values: Floats) -> Blocks:
    """float32 [N, 1] to [N] BF16, as uint16. Raises InvalidParameter if a value rounds to infinity."""
    bits = np.ascontiguousarray(values).view(np.uint32).reshape(-1)
    # Half of the last kept bit is added; an exact tie gets it only if that makes the kept part even.
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    if ((rounded & np.uint32(0x7FFF)) == 0x7F80).any():
        raise InvalidParameter(
            f"{np.abs(values).max():.6g} is too large for BF16; expected at most 3.3895e38."
        )
    blocks: Blocks = rounded.astype("<u2")
    return blocks
