"""Logits of one model in each tensor type: the cpu backend against the reference backend.

The cpu backend rounds activations to 8 bits in front of every quantized matrix, and nothing else may move its
logits. So they are compared with the reference backend as it is, and as it is when the same rounding, written
in plain NumPy, is put in front of its matrices.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.batches import TINY, relative
from helpers.eight_bits import round_activations
from helpers.weights import FLOAT_TYPES
from numpy.typing import NDArray

from rushlight import LLM
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.gguf import GGMLType, open_gguf
from rushlight.gguf.types import BLOCK_SIZES
from rushlight.gguf.writer import write_gguf
from rushlight.quants import dequantize, quantize

IDS = np.random.default_rng(11).integers(0, 320, 48).tolist()
EXACT = 1e-5


def write_in_type(path: Path, type: GGMLType) -> None:
    """The tiny llama model with 256 columns, every matrix in one type."""
    with open_gguf(TINY / "llama-mix.gguf") as file:
        tensors = []
        for name, tensor in file.tensors.items():
            values = dequantize(tensor.raw, tensor.type).reshape(tensor.shape)
            own = type if len(tensor.shape) == 2 else GGMLType.F32
            tensors.append((name, own, tensor.shape, quantize(values, own)))
        write_gguf(path, dict(file.metadata), tensors, types=file.metadata_types)


def logits(path: Path, backend: str) -> NDArray[np.float32]:
    with LLM(path, backend=backend, n_ctx=64, kv_dtype="f32") as llm:
        return llm.logits(IDS)


@pytest.mark.parametrize("name", [name.upper() for name in LAYOUTS])
def test_only_the_rounding_of_activations_moves_logits(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    type = GGMLType[name]
    path = tmp_path / "model.gguf"
    write_in_type(path, type)
    found, plain = logits(path, "cpu"), logits(path, "reference")
    if type in FLOAT_TYPES:
        assert relative(found, plain) < EXACT
        return
    round_activations(monkeypatch, BLOCK_SIZES[type].values)
    rounded = logits(path, "reference")
    rounding = relative(rounded, plain)
    assert 1e-3 < rounding < 0.05
    assert relative(found, plain) < 1.2 * rounding
    # Where a float32 sum falls on the other side of a tie, an activation differs by a whole step, and with it
    # all that attends to it; but some rows have no such place.
    assert relative(found, rounded) < 0.75 * rounding
    assert min(relative(a, b) for a, b in zip(found, rounded, strict=True)) < EXACT
