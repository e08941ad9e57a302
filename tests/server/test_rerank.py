"""``/v1/rerank``: the scores of `LLM.rerank`, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from goldens.pair_vocabularies import TEMPLATE
from helpers.embeddings import MODELS
from helpers.random_models import write_random_model
from running import RunningServer, serving

DOCUMENTS = [f"document {i} " * (1 + i % 3) for i in range(11)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    path = tmp_path_factory.mktemp("ranking") / "model.gguf"
    template = {"tokenizer.chat_template.rerank": TEMPLATE}
    write_random_model(replace(MODELS["qwen3-rank"], other_metadata=template), path)
    with serving(path, n_ctx=512) as server:
        yield server


def test_documents_come_in_the_order_of_their_scores(server: RunningServer) -> None:
    expected = server.llm.rerank("query", DOCUMENTS)
    body = {"query": "query", "documents": [*DOCUMENTS[:5], *({"text": each} for each in DOCUMENTS[5:])]}
    found = server.post("/v1/rerank", body).json()
    order = [each["index"] for each in found["results"]]
    assert sorted(order) == list(range(11))
    scores = [each["relevance_score"] for each in found["results"]]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) > 1
    np.testing.assert_array_equal(np.array(scores, np.float32), expected[order])
    tokens = sum(len(server.llm.tokenize_pair("query", document)) for document in DOCUMENTS)
    assert found["usage"]["prompt_tokens"] == tokens
    best = server.post("/v1/rerank", {**body, "top_n": 2, "return_documents": True}).json()["results"]
    assert [each["index"] for each in best] == order[:2]
    assert [each["document"]["text"] for each in best] == [DOCUMENTS[i] for i in order[:2]]


def test_equal_documents_keep_their_order(server: RunningServer) -> None:
    found = server.post("/v1/rerank", {"query": "q", "documents": ["same"] * 4}).json()["results"]
    assert [each["index"] for each in found] == [0, 1, 2, 3]


def test_what_cannot_be_is_refused(server: RunningServer, tiny: RunningServer) -> None:
    for body, message in (
        ({"query": "q", "documents": []}, "1 or more"),
        ({"query": "q"}, "documents is missing"),
        ({"query": 3, "documents": ["a"]}, "query"),
        ({"query": "q", "documents": ["a", 3]}, "documents[1]"),
        ({"query": "q", "documents": ["a"] * 300}, "at most 256"),
        ({"query": "q", "documents": ["word " * 800]}, "context of 512"),
    ):
        answer = server.post("/v1/rerank", body)
        assert answer.status_code == 400 and message in answer.json()["error"]["message"], answer.text
    wrong = tiny.post("/v1/rerank", {"query": "q", "documents": ["a"]})
    assert wrong.status_code == 400 and "no reranker" in wrong.text
    assert server.admission.n_inside == tiny.admission.n_inside == 0
