"""Scores of documents against llama.cpp's, and what a reranker reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from goldens.pair_vocabularies import PAIRS, TEMPLATE
from helpers.embedding_models import RANK_MODELS
from helpers.embeddings import GOLDEN, MODELS, expected_of
from helpers.random_models import RandomModel, write_random_model

from rushlight.errors import ContextOverflow, InvalidFile, InvalidParameter, UnsupportedModel
from rushlight.llm import LLM
from rushlight.models.ranking import score_of

QWEN3 = MODELS["qwen3-rank"]


def written(folder: Path, model: RandomModel, **changes: Any) -> Path:
    path = folder / "model.gguf"
    write_random_model(replace(model, **changes), path)
    return path


@pytest.mark.parametrize("backend", ["reference", "auto"])
@pytest.mark.parametrize("model", RANK_MODELS, ids=lambda model: model.name)
def test_scores_are_those_of_llama_cpp(
    model: RandomModel, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = GOLDEN[model.name]["ids"]
    # Of the head's numbers, the softmax over them among these, the first is the score.
    expected = [row[0] for row in expected_of(model)]
    with LLM(written(tmp_path, model), backend=backend, kv_dtype="f32", n_ctx=100) as llm:
        monkeypatch.setattr("rushlight.rows.encode_pair", lambda _, query, document: texts[int(document)])
        found = llm.rerank("", ["0", "1", "2"])
        again = llm.rerank("", ["2", "0", "2"])
    assert found.dtype == np.float32 and found.shape == (3,)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6)
    assert np.ptp(expected) > 1e-3
    # NumPy's products of other batches are rounded otherwise.
    np.testing.assert_allclose(again, found[[2, 0, 2]], rtol=0, atol=0 if backend == "auto" else 1e-6)


def test_a_query_and_a_document_are_one_text(tmp_path: Path) -> None:
    other = {"tokenizer.chat_template.rerank": TEMPLATE}
    with LLM(written(tmp_path, QWEN3, other_metadata=other), n_ctx=512) as llm:
        ids = llm.tokenize_pair("what", "this")
        text = llm.detokenize(ids)
        assert text == TEMPLATE.replace("{query}", "what").replace("{document}", "this")
        pairs = [llm.rerank(query, [document])[0] for query, document in PAIRS]
        assert len(set(map(float, pairs))) == len(PAIRS)
        assert all(0 < score < 1 for score in pairs)


def test_what_is_no_query_or_no_documents(tmp_path: Path) -> None:
    with LLM(written(tmp_path, QWEN3), n_ctx=64) as llm:
        for documents in ([], "one", ["a", 1], [[1, 2]], None):
            with pytest.raises(InvalidParameter, match="a list of texts"):
                llm.rerank("a", documents)
        with pytest.raises(InvalidParameter, match="a list of texts"):
            llm.rerank([1, 2], ["a"])  # type: ignore[arg-type]
        with pytest.raises(ContextOverflow):
            llm.rerank("a", ["b" * 64, "c"])
        assert llm.rerank("a", ["b"]).shape == (1,)
        for call in (llm.generate, llm.logits):
            with pytest.raises(UnsupportedModel, match=r"a reranker.*use LLM\.rerank"):
                call([1, 2])
        for call in (llm.embed, llm.hidden_states):
            with pytest.raises(UnsupportedModel):
                call("a")


def test_a_reranker_without_a_head(tmp_path: Path) -> None:
    for name in ("qwen3-rank", "bert-rank"):
        rest = " ".join(item for item in MODELS[name].rest.split() if not item.startswith("cls"))
        with pytest.raises(InvalidFile, match=r"neither cls\.weight nor cls\.output\.weight"):
            LLM(written(tmp_path, MODELS[name], rest=rest))
    metadata = {**QWEN3.metadata, "classifier.pooling_type": 1}
    with pytest.raises(UnsupportedModel, match=r"classifier\.pooling_type"):
        LLM(written(tmp_path, QWEN3, metadata=metadata))


def test_documents_of_one_query_share_their_beginning(tmp_path: Path) -> None:
    other = {"tokenizer.chat_template.rerank": TEMPLATE}
    query = "a long query that fills some blocks of the cache, and is the same for every document"
    with LLM(written(tmp_path, QWEN3, other_metadata=other), n_ctx=512) as llm:
        first = llm.rerank(query, ["x", "y"])
        assert llm.stats().cached_tokens == 0
        np.testing.assert_array_equal(llm.rerank(query, ["y", "x"]), first[::-1])
        assert llm.stats().cached_tokens >= 64


def test_softmax_of_a_row() -> None:
    row = np.array([1.5, -0.25, 3.0], np.float32)
    weights = np.exp(row.astype(np.float64))
    assert score_of(row, softmax=False) == np.float32(1.5)
    assert float(score_of(row, softmax=True)) == pytest.approx(weights[0] / weights.sum(), rel=1e-7)
    assert score_of(np.array([-1e4, 1e4], np.float32), softmax=True) == 0
    assert np.isnan(score_of(np.array([np.nan, 1], np.float32), softmax=True))
