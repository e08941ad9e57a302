"""Logits of one model in each tensor type: the cpu backend against the reference backend.

The cpu backend rounds activations to 8 bits in front of every quantized matrix, and nothing else may move its
logits. So they are compared with the reference backend as it is, and as it is when the same rounding, written
in plain NumPy, is put in front of its matrices.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.batches import relative
from helpers.eight_bits import round_activations
from helpers.type_models import IDS, write_in_type
from helpers.weights import FLOAT_TYPES
from numpy.typing import NDArray

from rushlight import LLM
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.gguf import GGMLType

EXACT = 1e-5
GOLDEN = Path(__file__).parents[1] / "goldens" / "type_logits.npz"


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
    round_activations(monkeypatch, LAYOUTS[type.name.lower()].activation_columns)
    rounded = logits(path, "reference")
    rounding = relative(rounded, plain)
    assert 1e-3 < rounding < 0.05
    assert relative(found, plain) < 1.2 * rounding
    # Where a float32 sum falls on the other side of a tie, an activation differs by a whole step, and with it
    # all that attends to it; but some rows have no such place.
    assert relative(found, rounded) < 0.75 * rounding
    assert min(relative(a, b) for a, b in zip(found, rounded, strict=True)) < EXACT


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[Any]]:
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.mark.parametrize("type", GGMLType, ids=lambda type: type.name)
def test_logits_are_those_of_llama_cpp(
    type: GGMLType, golden: dict[str, NDArray[Any]], tmp_path: Path
) -> None:
    """To the rounding of activations; where llama.cpp has these in the same blocks, much closer."""
    if type.name not in golden:
        assert type is GGMLType.Q8_K  # llama.cpp multiplies by no such weights
        return
    path = tmp_path / "model.gguf"
    write_in_type(path, type)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == str(golden[f"{type.name}.sha256"]), "another model than the golden was made from"
    rows = golden[type.name]
    assert relative(logits(path, "cpu")[-len(rows) :], rows) < 0.03
