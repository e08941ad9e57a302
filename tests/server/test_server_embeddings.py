"""``/v1/embeddings`` through OpenAI's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from helpers.embeddings import MODELS
from helpers.random_models import write_random_model
from running import RunningServer, serving

TEXTS = ["one text", "another, longer text", "ünï 🏒"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    path = tmp_path_factory.mktemp("embeddings") / "model.gguf"
    write_random_model(MODELS["qwen3-last"], path)
    with serving(path, n_ctx=64) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.v1, api_key="none", max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    return client.embeddings.create(**{"model": "default", "input": TEXTS, **fields})


def test_texts_become_the_vectors_of_the_model(client: openai.OpenAI, server: RunningServer) -> None:
    expected = server.llm.embed(TEXTS)
    found = ask(client)  # the client asks for base64
    np.testing.assert_array_equal(np.array([each.embedding for each in found.data], np.float32), expected)
    assert [each.index for each in found.data] == [0, 1, 2]
    floats = ask(client, encoding_format="float", input=TEXTS[1])
    np.testing.assert_array_equal(np.array(floats.data[0].embedding, np.float32), expected[1])
    ids = [server.llm.tokenize(text) for text in TEXTS]
    np.testing.assert_array_equal([each.embedding for each in ask(client, input=ids).data], expected)
    assert found.usage.prompt_tokens == sum(map(len, ids))
    many = ask(client, input=TEXTS * 10)
    np.testing.assert_array_equal([each.embedding for each in many.data], np.tile(expected, (10, 1)))
    assert ask(client, dimensions=expected.shape[1]).data


def test_truncation_is_asked_for_and_told(client: openai.OpenAI, server: RunningServer) -> None:
    ids = server.llm.tokenize("word " * 200)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, input=ids)
    assert caught.value.code == "context_length_exceeded"
    cut = ask(client, input=ids, extra_body={"truncate_prompt_tokens": -1})
    np.testing.assert_array_equal([cut.data[0].embedding], server.llm.embed(ids[-64:]))
    assert cut.usage.truncated_tokens == len(ids) - 64


def test_what_cannot_be_is_refused(client: openai.OpenAI, server: RunningServer, tiny: RunningServer) -> None:
    for fields, message in (
        ({"input": []}, "1 or more"),
        ({"input": ["a"] * 300}, "at most 256"),
        ({"dimensions": 3}, "dimensions is 3"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"input": ""}, "empty"),
    ):
        with pytest.raises(openai.BadRequestError, match=message):
            ask(client, **fields)
    with pytest.raises(openai.BadRequestError, match="writes no text"):
        client.chat.completions.create(model="default", messages=[{"role": "user", "content": "Hi"}])
    with (
        openai.OpenAI(base_url=tiny.v1, api_key="none", max_retries=0) as other,
        pytest.raises(openai.BadRequestError, match="no model for embeddings"),
    ):
        other.embeddings.create(model="tiny", input="a")
    assert server.admission.n_inside == tiny.admission.n_inside == 0
