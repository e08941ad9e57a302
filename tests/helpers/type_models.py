"""The tiny llama model with 256 columns in any tensor type, written anew for each test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from helpers.batches import TINY
from helpers.weights import blocks_like

from rushlight.gguf import GGMLType, open_gguf
from rushlight.gguf.writer import write_gguf
from rushlight.quants import dequantize

IDS: list[int] = np.random.default_rng(11).integers(0, 320, 48).tolist()


def write_in_type(path: Path, type: GGMLType) -> None:
    """Every matrix in one type, the same bytes each time."""
    with open_gguf(TINY / "llama-mix.gguf") as file:
        tensors = []
        for name, tensor in file.tensors.items():
            values = dequantize(tensor.raw, tensor.type).reshape(tensor.shape)
            own = type if len(tensor.shape) == 2 else GGMLType.F32
            tensors.append((name, own, tensor.shape, blocks_like(values, own, len(tensors))))
        write_gguf(path, dict(file.metadata), tensors, types=file.metadata_types)
