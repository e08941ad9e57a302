"""Weights whose every bit is random."""

from __future__ import annotations

import numpy as np
from helpers.cpu import tensor

from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.gguf.types import row_bytes
from rushlight.quants import BLOCK_DTYPES

FLOAT_TYPES = (GGMLType.F32, GGMLType.F16, GGMLType.BF16)


def random_weights(type: GGMLType, n_rows: int, n_columns: int, seed: int = 0) -> GGUFTensor:
    """Every bit at random, but scales and minima near 1/100 (floating-point types: near 1)."""
    rng = np.random.default_rng(seed)
    if type in FLOAT_TYPES:
        return tensor(rng.standard_normal((n_rows, n_columns)), type)
    raw = rng.integers(0, 256, (n_rows, row_bytes(type, n_columns)), np.uint8)
    blocks = raw.view(BLOCK_DTYPES[type])
    for name in {"d", "m", "dmin"} & set(blocks.dtype.names or ()):
        blocks[name] = rng.standard_normal(blocks.shape) / 100
    return GGUFTensor("random.weight", (n_rows, n_columns), type, raw)
