"""Conversations that are too long: an error, unless the client says what may be left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from running import RunningServer
from scripted import scripted

SYSTEM = {"role": "system", "content": "Be brief."}
TURNS = [
    message
    for i in range(12)
    for message in (
        {"role": "user", "content": f"Question {i}: " + "word " * 80},
        {"role": "assistant", "content": f"Answer {i}."},
    )
]
LAST = {"role": "user", "content": "And now?"}
CONVERSATION = [SYSTEM, *TURNS, LAST]


@pytest.fixture(scope="module")
def client(smollm2: RunningServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=smollm2.v1, api_key="none", max_retries=0) as client:
        yield client


def chat(client: openai.OpenAI, messages: Any = CONVERSATION, **fields: Any) -> Any:
    extra = {"truncation": "auto"}
    return client.chat.completions.create(
        model="smollm2", messages=messages, temperature=0, extra_body=extra, **fields
    )


def test_the_oldest_turns_are_left_out_as_few_as_need_be(
    client: openai.OpenAI, smollm2: RunningServer
) -> None:
    def n_tokens(messages: Any) -> int:
        return len(smollm2.llm.tokenize(smollm2.llm.apply_chat_template(messages)))

    with scripted(smollm2, "Now.", "smollm2") as prompts:
        answer = chat(client, max_tokens=100)
        n_left = next(n for n in range(12) if n_tokens([SYSTEM, *TURNS[2 * n :], LAST]) <= 1024 - 100)
        expected = smollm2.llm.apply_chat_template([SYSTEM, *TURNS[2 * n_left :], LAST])
        assert expected in prompts and 0 < n_left < 12
        used = answer.usage
        assert used.prompt_tokens == len(smollm2.llm.tokenize(expected))
        assert used.prompt_tokens_details.truncated_tokens == n_tokens(CONVERSATION) - used.prompt_tokens
        options = {"include_usage": True}
        chunks = list(chat(client, max_tokens=100, stream=True, stream_options=options))
        assert chunks[-1].usage.prompt_tokens_details.truncated_tokens > 0
        response: Any = client.responses.create(
            model="smollm2", input=CONVERSATION, truncation="auto", max_output_tokens=100
        )
        assert response.usage.input_tokens == used.prompt_tokens and response.truncation == "auto"
        assert response.usage.input_tokens_details.truncated_tokens > 0
        short = chat(client, [SYSTEM, LAST])
        assert "truncated_tokens" not in (short.usage.prompt_tokens_details.model_extra or {})


def test_without_it_or_where_one_turn_is_too_long_it_is_an_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="smollm2", messages=CONVERSATION)  # type: ignore[arg-type]
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, [*CONVERSATION[:-1], {"role": "user", "content": "word " * 1200}])
    assert caught.value.code == "context_length_exceeded"
