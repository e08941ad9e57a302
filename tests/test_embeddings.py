"""Embeddings against llama.cpp's, whatever computes them and whatever is computed beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.embedding_models import EMBEDDING_MODELS
from helpers.random_models import RandomModel, write_random_model

from rushlight.errors import ContextOverflow, InvalidFile, InvalidParameter, UnsupportedModel
from rushlight.llm import LLM
from rushlight.models.pooling import Pooling, pool
from rushlight.params import SamplingParams

GOLDEN = json.loads((Path(__file__).parent / "goldens" / "embeddings.json").read_text("utf-8"))["models"]
BY_NAME = {model.name: model for model in EMBEDDING_MODELS}
QWEN3 = BY_NAME["qwen3-last"]


def written(folder: Path, model: RandomModel, **metadata: Any) -> Path:
    path = folder / "model.gguf"
    write_random_model(replace(model, metadata={**model.metadata, **metadata}), path)
    return path


def test_every_model_has_its_golden() -> None:
    assert set(GOLDEN) == set(BY_NAME)
    assert {model.metadata["pooling_type"] for model in EMBEDDING_MODELS} == {1, 2, 3}


@pytest.mark.parametrize("backend", ["reference", "auto"])
@pytest.mark.parametrize("name", BY_NAME)
def test_embeddings_are_those_of_llama_cpp(name: str, backend: str, tmp_path: Path) -> None:
    golden, path = GOLDEN[name], tmp_path / "model.gguf"
    assert write_random_model(BY_NAME[name], path) == golden["sha256"]
    expected = np.array(golden["embeddings"], np.float32)
    with LLM(path, backend=backend, kv_dtype="f32", n_ctx=128) as llm:
        found = llm.embed(golden["ids"])
    assert found.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6)
    # Another text's embedding is another vector: the tolerance tells them apart.
    assert np.abs(expected[0] - expected[2]).max() > 0.05


@pytest.mark.parametrize("name", BY_NAME)
def test_an_embedding_does_not_depend_on_its_company(name: str, tmp_path: Path) -> None:
    path, ids = written(tmp_path, BY_NAME[name]), GOLDEN[name]["ids"]
    with LLM(path, n_threads=2, n_ctx=128) as llm:
        together = llm.embed(ids)
    with LLM(path, n_threads=1, n_ctx=128) as llm:
        alone = np.concatenate([llm.embed([each]) for each in reversed(ids)])[::-1]
    assert np.array_equal(together, alone)


def test_a_text_gets_its_special_tokens(tmp_path: Path) -> None:
    with LLM(written(tmp_path, QWEN3), n_ctx=128) as llm:
        texts = ["Hello", "a longer text, with more tokens"]
        assert np.array_equal(llm.embed(texts), llm.embed([llm.tokenize(text) for text in texts]))
        assert np.array_equal(llm.embed("Hello"), llm.embed(["Hello"]))
        assert llm.embed("Hello").shape == (1, 64)


def test_a_model_for_embeddings_writes_no_text(tmp_path: Path) -> None:
    with LLM(written(tmp_path, QWEN3), n_ctx=128) as llm:
        for call in (llm.generate, llm.stream, llm.logits):
            with pytest.raises(UnsupportedModel, match=r"use LLM\.embed"):
                call([1, 2, 3])
        with pytest.raises(UnsupportedModel, match=r"use LLM\.embed"):
            llm.chat([{"role": "user", "content": "Hi"}])
        with pytest.raises(InvalidParameter, match=r"got \[\]"):
            llm.embed([[]])
        with pytest.raises(ContextOverflow):
            llm.embed([[5] * 129])


@pytest.mark.parametrize("pooling", [Pooling.NONE, Pooling.RANK])
def test_other_models_write_text_and_embed_nothing(pooling: int, tmp_path: Path) -> None:
    with LLM(written(tmp_path, QWEN3, pooling_type=int(pooling)), n_ctx=128) as llm:
        answer = llm.generate([5, 6], SamplingParams(max_tokens=2, ignore_eos=True))
        assert len(answer.token_ids) == 2
        with pytest.raises(UnsupportedModel, match="no model for embeddings"):
            llm.embed("Hello")


def test_an_unknown_way_to_pool(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"qwen3\.pooling_type is 5; expected at most 4"):
        LLM(written(tmp_path, QWEN3, pooling_type=5))


def test_pooling_by_hand() -> None:
    rows = np.array([[3, 4], [0, 8], [6, 0]], np.float32)
    assert pool(rows, Pooling.CLS).tolist() == pytest.approx([0.6, 0.8])
    assert pool(rows, Pooling.LAST).tolist() == [1, 0]
    assert pool(rows, Pooling.MEAN).tolist() == pytest.approx([0.6, 0.8])
    assert pool(np.zeros((2, 2), np.float32), Pooling.MEAN).tolist() == [0, 0]
    with pytest.raises(ValueError, match="RANK"):
        pool(rows, Pooling.RANK)
