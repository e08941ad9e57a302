"""Quantized tensors: one NumPy dtype per block format, and conversion from and to float32."""

from __future__ import annotations

from rushlight.quants.blocks import BLOCK_DTYPES
from rushlight.quants.convert import dequantize, quantize

__all__ = ["BLOCK_DTYPES", "dequantize", "quantize"]
