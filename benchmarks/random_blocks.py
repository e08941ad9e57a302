"""Random weights of any tensor type, spread as those of a trained matrix, so that a model stays finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.gguf import GGMLType
from rushlight.quants import dequantize
from rushlight.quants.blocks import BLOCK_DTYPES

SAMPLE_BLOCKS = 512


def random_matrix(
    type: GGMLType, n_rows: int, n_columns: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """The stored bytes of a matrix whose values have a mean of about 0 and the variance 1 / n_columns.

    Every bit of the integers is random; the scales of all blocks are equal.
    """
    dtype = BLOCK_DTYPES[type]
    n_values = 256 if "scales" in (dtype.names or ()) else 32
    n_blocks = n_rows * n_columns // n_values
    raw = rng.integers(0, 256, n_blocks * dtype.itemsize, np.uint8)
    blocks = raw.view(dtype)
    offset = next((name for name in ("m", "dmin") if name in (dtype.names or ())), None)
    d, m = _centred_scales(blocks[:SAMPLE_BLOCKS].copy(), type, offset)
    spread = _values(blocks[:SAMPLE_BLOCKS].copy(), type, offset, d, m).std() * math.sqrt(n_columns)
    blocks["d"] = d / spread
    if offset:
        blocks[offset] = m / spread
    return raw


def _centred_scales(blocks: npt.NDArray[Any], type: GGMLType, offset: str | None) -> tuple[float, float]:
    """A scale and the offset with which the values have mean 0."""
    if offset is None:
        return 1.0, 0.0
    scaled = _values(blocks, type, offset, 1.0, 0.0).mean()
    shifted = _values(blocks, type, offset, 0.0, 1.0).mean()
    return 1.0, float(-scaled / shifted)


def _values(
    blocks: npt.NDArray[Any], type: GGMLType, offset: str | None, d: float, m: float
) -> npt.NDArray[np.float32]:
    blocks["d"] = d
    if offset:
        blocks[offset] = m
    return dequantize(blocks.view(np.uint8).reshape(len(blocks), -1), type)
