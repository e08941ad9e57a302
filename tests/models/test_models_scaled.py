"""Factors of whole matrices, ``.scale`` beside ``.weight``: logits against llama.cpp's, and refusals."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from helpers.batches import relative
from helpers.scaled_models import IDS, KINDS, write_scaled_model

from rushlight import LLM, EngineOptions
from rushlight.errors import InvalidFile, UnsupportedModel
from rushlight.gguf import GGMLType, open_gguf
from rushlight.gguf.writer import write_gguf

GOLDEN = Path(__file__).parents[1] / "goldens" / "scaled_logits.npz"

ONE_BY_ONE = EngineOptions(n_batch_tokens=1, n_sequences=1)
TOLERANCE = {"dense": 0.03, "experts": 0.1}
"""Without the factors it is 0.6 and 0.5. Rounding activations makes some rows choose other experts."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scaled")
    for kind in KINDS:
        write_scaled_model(folder / f"{kind}.gguf", kind)
    return {kind: folder / f"{kind}.gguf" for kind in KINDS}


def changed(source: Path, target: Path, name: str, raw: np.ndarray, shape: tuple[int, ...]) -> None:
    """The file with another tensor, in float32, in the place of one."""
    with open_gguf(source) as file:
        tensors = [
            (name, GGMLType.F32, shape, raw.view(np.uint8))
            if tensor.name == name
            else (tensor.name, tensor.type, tensor.shape, tensor.raw)
            for tensor in file.tensors.values()
        ]
        write_gguf(target, dict(file.metadata), tensors, types=file.metadata_types)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_llama_cpp(kind: str, backend: str, models: dict[str, Path]) -> None:
    with np.load(GOLDEN) as golden:
        rows, digest = golden[kind], str(golden[f"{kind}.sha256"])
    assert hashlib.sha256(models[kind].read_bytes()).hexdigest() == digest, "another model than the golden's"
    with LLM(models[kind], backend=backend, n_ctx=64, kv_dtype="f32") as llm:
        found = llm.logits(IDS)
    assert relative(found[-len(rows) :], rows) < TOLERANCE[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_one_token_gives_the_bits_of_many(kind: str, models: dict[str, Path]) -> None:
    with LLM(models[kind], backend="cpu", n_ctx=64) as whole:
        together = whole.logits(IDS)
    with LLM(models[kind], backend="cpu", n_ctx=64, options=ONE_BY_ONE) as single:
        np.testing.assert_array_equal(single.logits(IDS), together)


def test_factors_that_are_no_numbers_are_refused(models: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    changed(models["dense"], path, "blk.0.attn_q.scale", np.array([np.nan], np.float32), (1,))
    with pytest.raises(InvalidFile, match=r"blk\.0\.attn_q\.scale"):
        LLM(path, backend="reference")


def test_factors_of_another_number_are_refused(models: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    changed(models["experts"], path, "blk.0.ffn_up_exps.scale", np.ones(7, np.float32), (7,))
    with pytest.raises(InvalidFile, match=r"ffn_up_exps\.scale"):
        LLM(path, backend="reference")


def test_a_factor_that_no_matrix_has_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    """Such as that of the embedding, whose rows are read as they are."""
    path = tmp_path / "model.gguf"
    with open_gguf(models["dense"]) as file:
        tensors = [(t.name, t.type, t.shape, t.raw) for t in file.tensors.values()]
        one = np.ones(1, np.float32).view(np.uint8)
        tensors.append(("token_embd.scale", GGMLType.F32, (1,), one))
        write_gguf(path, dict(file.metadata), tensors, types=file.metadata_types)
    with pytest.raises(UnsupportedModel, match=r"token_embd\.scale"):
        LLM(path, backend="reference")
