"""A real model on the reference backend, in its own architecture and re-expressed as phi3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.as_phi3 import write_as_phi3
from helpers.batches import Piece, open_executor, relative
from numpy.typing import NDArray

from rushlight.backends.reference import ReferenceBackend
from rushlight.gguf import open_gguf
from rushlight.models import load_model

# "The capital of France is" to SmolLM2, and the token for " Paris".
PROMPT = [504, 3575, 282, 4649, 314]
PARIS = 7042


def logits(path: Path, arch: str, ids: list[int]) -> NDArray[np.float32]:
    backend = ReferenceBackend()
    with open_gguf(path) as file:
        model = load_model(file, backend, n_ctx=64)
        assert model.arch == arch
        executor, paging = open_executor(backend, model, 64)
        return executor.step(paging.batch([Piece(ids)]))


@pytest.fixture(scope="module")
def llama_logits(smollm2_path: Path) -> NDArray[np.float32]:
    return logits(smollm2_path, "llama", PROMPT)


def test_smollm2_knows_the_capital_of_france(smollm2_path: Path, llama_logits: NDArray[np.float32]) -> None:
    with open_gguf(smollm2_path) as file:
        assert file.metadata["tokenizer.ggml.tokens"][PARIS] == "ĠParis"
    assert int(llama_logits[-1].argmax()) == PARIS


def test_smollm2_as_phi3_gives_the_same_logits(
    smollm2_path: Path, llama_logits: NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / "phi3.gguf"
    write_as_phi3(smollm2_path, path)
    assert relative(logits(path, "phi3", PROMPT), llama_logits) < 5e-6
