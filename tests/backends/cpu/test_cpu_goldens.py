"""The cpu backend against llama.cpp's logits of the tiny models, and SmolLM2 re-expressed as phi3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.as_phi3 import write_as_phi3
from helpers.batches import GOLDEN_NAMES, Golden, Piece, load_golden, open_executor, relative
from numpy.typing import NDArray

from rushlight import LLM
from rushlight.backends.cpu import CpuBackend
from rushlight.gguf import open_gguf
from rushlight.models import load_model

# Float32 sums in another order; the error of rounding activations to 8 bits.
FLOAT, EIGHT_BITS = 5e-6, 0.05
TEXT = "The lighthouse at Garn Point had been built three times. The first was a wooden tower, raised by"


def logits(golden: Golden, steps: list[int]) -> NDArray[np.float32]:
    """Logits at the golden's positions, the tokens computed in chunks of these lengths."""
    backend = CpuBackend(n_threads=2)
    with open_gguf(golden.path) as file:
        model = load_model(file, backend, golden.n_ctx)
        executor, paging = open_executor(backend, model, golden.n_ctx)
        rows, start = [], 0
        for n in steps:
            rows.append(executor.step(paging.batch([Piece(golden.ids[start : start + n], start)])).copy())
            start += n
        executor.close()
    return np.concatenate(rows)[golden.positions]


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_logits_are_those_of_llama_cpp(name: str) -> None:
    golden = load_golden(name)
    n = len(golden.ids)
    found = logits(golden, [n])
    exact = name.endswith("-f32")
    assert relative(found, golden.exact) < (FLOAT if exact else EIGHT_BITS)
    if not exact:
        # As close to the unrounded truth as llama.cpp's own rounding comes, give or take.
        assert relative(found, golden.exact) < 1.5 * relative(golden.logits, golden.exact)
    np.testing.assert_array_equal(logits(golden, [1, 2, n - 20, 1, 16]), found)


def test_smollm2_as_phi3_differs_by_the_rounding_of_activations_only(
    smollm2_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "phi3.gguf"
    write_as_phi3(smollm2_path, path)
    with LLM(smollm2_path, n_ctx=256) as llama, LLM(path, n_ctx=256) as phi3:
        ids = llama.tokenize(TEXT)
        expected, found = llama.logits(ids), phi3.logits(ids)
    with LLM(smollm2_path, n_ctx=256, backend="reference") as reference:
        rounding = relative(expected, reference.logits(ids))
    assert rounding < EIGHT_BITS
    assert relative(found, expected) < 1.5 * rounding
