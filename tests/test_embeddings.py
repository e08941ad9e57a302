"""Embeddings against llama.cpp's, whatever computes them and whatever is computed beside them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.embedding_models import EMBEDDING_MODELS, RANK_MODELS
from helpers.embeddings import EVERY, GOLDEN, MODELS, expected_of
from helpers.random_models import RandomModel, write_random_model

from rushlight.errors import ContextOverflow, InvalidFile, InvalidParameter, UnsupportedModel
from rushlight.llm import LLM
from rushlight.models.pooling import Pooling, pool
from rushlight.params import EngineOptions, SamplingParams

POOLED = [model.name for model in EMBEDDING_MODELS if model.metadata["pooling_type"]]
QWEN3, BERT, GEMMA = (MODELS[name] for name in ("qwen3-last", "bert", "gemma-embedding"))
N_CTX = 100


def written(folder: Path, model: RandomModel, **metadata: Any) -> Path:
    path = folder / "model.gguf"
    write_random_model(replace(model, metadata={**model.metadata, **metadata}), path)
    return path


def test_every_model_has_its_golden() -> None:
    assert set(GOLDEN) == set(MODELS)
    assert {model.metadata["pooling_type"] for model in MODELS.values()} == {*map(int, Pooling)}


@pytest.mark.parametrize("backend", ["reference", "auto"])
@pytest.mark.parametrize("name", POOLED)
def test_embeddings_are_those_of_llama_cpp(name: str, backend: str, tmp_path: Path) -> None:
    """One text fills the context, and exceeds every window."""
    golden, path, expected = GOLDEN[name], tmp_path / "model.gguf", np.array(expected_of(MODELS[name]))
    assert write_random_model(MODELS[name], path) == golden["sha256"]
    with LLM(path, backend=backend, kv_dtype="f32", n_ctx=N_CTX) as llm:
        found = llm.embed(golden["ids"])
    assert found.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6)
    # Another text's embedding is another vector: the tolerance tells them apart.
    assert np.abs(expected[0] - expected[2]).max() > 0.05


@pytest.mark.parametrize("backend", ["reference", "auto"])
def test_hidden_states_are_those_of_llama_cpp(backend: str, tmp_path: Path) -> None:
    model = MODELS["bert-none"]
    with LLM(written(tmp_path, model), backend=backend, kv_dtype="f32") as llm:
        for ids, expected in zip(GOLDEN[model.name]["ids"], expected_of(model), strict=True):
            found = llm.hidden_states(ids)
            assert found.shape == (len(ids), 64)
            np.testing.assert_allclose(found[::EVERY], expected, rtol=0, atol=2e-5)
        with pytest.raises(UnsupportedModel, match=r"pooling_type.*use LLM\.hidden_states"):
            llm.embed("Hello")
        with pytest.raises(UnsupportedModel, match="writes no text"):
            llm.generate("Hello")


@pytest.mark.parametrize("name", ["qwen2-mean", "qwen3-last", "bert", "gemma-embedding"])
def test_an_embedding_does_not_depend_on_its_company(name: str, tmp_path: Path) -> None:
    """More texts than run at once; together in one step, or one after the other."""
    path, rng = written(tmp_path, MODELS[name]), np.random.RandomState(4)
    texts = [rng.randint(0, 320, n).tolist() for n in (1, 99, 3, 40, 17, 100, 8, 2, 64, 9, 33, 31)]
    with LLM(path, n_threads=2, n_ctx=N_CTX) as llm:
        together = llm.embed(texts)
    with LLM(path, n_threads=1, n_ctx=N_CTX, options=EngineOptions(n_sequences=2)) as llm:
        alone = np.concatenate([llm.embed([ids]) for ids in reversed(texts)])[::-1]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("model", [QWEN3, BERT], ids=["causal", "both ways"])
def test_a_text_gets_its_special_tokens(model: RandomModel, tmp_path: Path) -> None:
    with LLM(written(tmp_path, model), n_ctx=N_CTX) as llm:
        texts = ["Hello", "a longer text, with more tokens"]
        assert np.array_equal(llm.embed(texts), llm.embed([llm.tokenize(text) for text in texts]))
        assert np.array_equal(llm.embed("Hello"), llm.embed(["Hello"]))
        assert llm.embed("Hello").shape == (1, 64)


@pytest.mark.parametrize("model", [QWEN3, BERT], ids=["causal", "both ways"])
def test_a_model_for_embeddings_writes_no_text(model: RandomModel, tmp_path: Path) -> None:
    with LLM(written(tmp_path, model), n_ctx=N_CTX) as llm:
        for call in (llm.generate, llm.stream, llm.logits):
            with pytest.raises(UnsupportedModel, match=r"use LLM\.embed"):
                call([1, 2, 3])
        with pytest.raises(UnsupportedModel, match=r"use LLM\.embed"):
            llm.chat([{"role": "user", "content": "Hi"}])
        with pytest.raises(UnsupportedModel, match="no reranker"):
            llm.rerank("a", ["b"])
        with pytest.raises(InvalidParameter, match=r"got \[\]"):
            llm.embed([[]])
        with pytest.raises(ContextOverflow):
            llm.embed([[5] * (N_CTX + 1)])


def test_causal_models_give_hidden_states_where_they_embed(tmp_path: Path) -> None:
    ids = GOLDEN["qwen3-last"]["ids"][2]
    with LLM(written(tmp_path, QWEN3), n_ctx=128) as llm:
        np.testing.assert_array_equal(pool(llm.hidden_states(ids), Pooling.LAST), llm.embed(ids)[0])
    match = "makes embeddings, pooled by mean"
    with LLM(written(tmp_path, GEMMA), n_ctx=128) as llm, pytest.raises(UnsupportedModel, match=match):
        llm.hidden_states(ids)


def test_other_models_write_text_and_embed_nothing(tmp_path: Path) -> None:
    with LLM(written(tmp_path, QWEN3, pooling_type=0), n_ctx=128) as llm:
        answer = llm.generate([5, 6], SamplingParams(max_tokens=2, ignore_eos=True))
        assert len(answer.token_ids) == 2
        for call in (llm.embed, llm.hidden_states):
            with pytest.raises(UnsupportedModel, match=r"no model for embeddings|makes text"):
                call("Hello")


def test_a_whole_text_is_computed_at_once(tmp_path: Path) -> None:
    """The smallest step is as large as the context, whatever the options say."""
    path, ids = written(tmp_path, GEMMA), GOLDEN["gemma-embedding"]["ids"]
    with LLM(path, n_ctx=N_CTX) as llm:
        expected = llm.embed(ids)
    options = EngineOptions(n_batch_tokens=8, kv_tokens=N_CTX)
    with LLM(path, n_ctx=N_CTX, options=options) as llm:
        np.testing.assert_array_equal(llm.embed(ids), expected)
        assert 2 <= llm.stats().steps <= 3
    with pytest.raises(InvalidParameter, match="n_ctx is 101; this model has embeddings of 100 positions"):
        LLM(written(tmp_path, BERT), n_ctx=N_CTX + 1)


def test_an_unknown_way_to_pool(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"qwen3\.pooling_type is 5; expected at most 4"):
        LLM(written(tmp_path, QWEN3, pooling_type=5))
    with pytest.raises(UnsupportedModel, match="Rerankers of this architecture"):
        LLM(written(tmp_path, GEMMA, pooling_type=4))


def test_the_docs_name_the_architectures() -> None:
    """Rows: what reads both ways, decoders that pool, rerankers."""
    text = (Path(__file__).parents[1] / "docs" / "embeddings.md").read_text("utf-8")
    rows = [line.split("|")[2] for line in text.splitlines() if line.startswith(("| embed", "| rank"))]
    both_ways, decoders, rerankers = (set(re.findall("`([a-z0-9-]+)`", row)) for row in rows)
    encoders = {model.arch for model in EMBEDDING_MODELS if "attention.causal" in model.metadata}
    assert both_ways == encoders
    assert decoders == {model.arch for model in EMBEDDING_MODELS} - encoders
    assert rerankers == {model.arch for model in RANK_MODELS} | {"qwen3vl"}


def test_pooling_by_hand() -> None:
    rows = np.array([[3, 4], [0, 8], [6, 0]], np.float32)
    assert pool(rows, Pooling.CLS).tolist() == pytest.approx([0.6, 0.8])
    assert pool(rows, Pooling.LAST).tolist() == [1, 0]
    assert pool(rows, Pooling.MEAN).tolist() == pytest.approx([0.6, 0.8])
    assert pool(np.zeros((2, 2), np.float32), Pooling.MEAN).tolist() == [0, 0]
    with pytest.raises(ValueError, match="RANK"):
        pool(rows, Pooling.RANK)
