"""``/v1/chat/completions`` through OpenAI's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from running import RunningServer

from rushlight import SamplingParams

HI = [{"role": "user", "content": "Hi, tell me about ice hockey"}]


@pytest.fixture(scope="module")
def client(smollm2: RunningServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=smollm2.v1, api_key="none", max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    return client.chat.completions.create(
        **{"model": "smollm2", "messages": HI, "max_tokens": 12, "temperature": 0, **fields}
    )


def test_an_answer_is_that_of_the_model(client: openai.OpenAI, smollm2: RunningServer) -> None:
    whole = smollm2.llm.chat(HI, SamplingParams(temperature=0, max_tokens=12))
    answer = ask(client)
    assert answer.choices[0].message.content == whole.text
    assert answer.choices[0].finish_reason == whole.finish_reason == "length"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == whole.usage[:2]
    assert answer.model == "smollm2"
    assert ask(client, model="gpt-4o-mini").model == "gpt-4o-mini"


def test_the_chunks_of_a_stream_are_the_answer(client: openai.OpenAI) -> None:
    whole = ask(client, max_tokens=40, seed=3, temperature=1, n=2)
    chunks = list(
        ask(
            client,
            max_tokens=40,
            seed=3,
            temperature=1,
            n=2,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    for i, choice in enumerate(whole.choices):
        own = [c.choices[0] for c in chunks if c.choices and c.choices[0].index == i]
        assert own[0].delta.role == "assistant"
        assert "".join(each.delta.content or "" for each in own) == choice.message.content
        assert [each.finish_reason for each in own if each.finish_reason] == [choice.finish_reason]
    assert whole.choices[0].message.content != whole.choices[1].message.content
    assert not chunks[-1].choices and chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_has_no_usage_unless_it_is_asked_for(client: openai.OpenAI) -> None:
    assert all(chunk.choices for chunk in ask(client, stream=True))


def test_choice_i_has_the_seed_plus_i(client: openai.OpenAI) -> None:
    three = ask(client, n=3, seed=2**64 - 2, temperature=1)
    alone = [ask(client, seed=seed, temperature=1) for seed in (2**64 - 2, 2**64 - 1, 0)]
    assert [c.message.content for c in three.choices] == [a.choices[0].message.content for a in alone]
    assert three.usage.prompt_tokens == alone[0].usage.prompt_tokens
    assert three.usage.completion_tokens == sum(a.usage.completion_tokens for a in alone)


def test_logprobs_are_those_of_the_model(client: openai.OpenAI, smollm2: RunningServer) -> None:
    whole = smollm2.llm.chat(HI, SamplingParams(temperature=0, max_tokens=12, logprobs=3))
    answer = ask(client, logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    assert whole.logprobs is not None
    assert [each.logprob for each in content] == [each.logprob for each in whole.logprobs]
    assert b"".join(bytes(each.bytes) for each in content).decode() == answer.choices[0].message.content
    assert [[t.logprob for t in each.top_logprobs] for each in content] == [
        [logprob for _, logprob in each.top] for each in whole.logprobs
    ]
    streamed = ask(client, logprobs=True, top_logprobs=3, stream=True)
    pieces = [c.choices[0].logprobs.content for c in streamed if c.choices[0].logprobs]
    assert [each.model_dump() for piece in pieces for each in piece] == [
        each.model_dump() for each in content
    ]


def test_stop_strings_bias_and_penalties_reach_the_sampler(client: openai.OpenAI) -> None:
    text = ask(client, max_tokens=30).choices[0].message.content
    stop = text[20:24]
    stopped = ask(client, max_tokens=30, stop=[stop, "never said"]).choices[0]
    assert (stopped.message.content, stopped.finish_reason) == (text[: text.index(stop)], "stop")
    first = ask(client, logprobs=True).choices[0].logprobs.content[0].token
    forced = ask(client, max_tokens=3, logit_bias={"28": 100}).choices[0].message.content
    assert forced != first and len(set(forced)) == 1
    plain = ask(client, temperature=1, seed=5, max_tokens=30).choices[0].message.content
    extra = {"top_k": 1, "repeat_penalty": 1.3, "min_p": 0.1}
    other = ask(client, temperature=1, seed=5, max_tokens=30, extra_body=extra).choices[0].message.content
    assert plain != other


def test_parts_of_a_message_are_joined_and_developers_are_the_system(client: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": "Hi,"}, {"type": "text", "text": "there"}]
    one = ask(
        client, messages=[{"role": "developer", "content": "Be brief"}, {"role": "user", "content": parts}]
    )
    two = ask(
        client,
        messages=[{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi,\nthere"}],
    )
    assert one.choices[0].message.content == two.choices[0].message.content
    assert one.usage.prompt_tokens == two.usage.prompt_tokens


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"temperature": -1}, "temperature", "at least 0"),
        ({"temperature": "hot"}, "temperature", "a number"),
        ({"n": 0}, "n", "at least 1"),
        ({"n": 100}, "n", "at most 16"),
        ({"max_tokens": 1.5}, "max_tokens", "an integer"),
        ({"messages": []}, "messages", "1 or more"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages[0].role", '"system" or'),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing"),
        ({"logit_bias": {"word": 1}}, "logit_bias.word", "token ids"),
        ({"logit_bias": {"9999999": 1}}, None, "9999999"),
        ({"stop": ""}, "stop", "not empty"),
        ({"top_logprobs": 2}, "top_logprobs", "without logprobs"),
        ({"functions": []}, "functions", "use tools"),
        ({"extra_body": {"repetition_penalty": 1}}, "repetition_penalty", "repeat_penalty"),
        ({"seed": 2**64}, "seed", "0 to"),
    ],
)
def test_bad_fields_are_refused_by_name(
    client: openai.OpenAI, fields: dict[str, Any], param: str | None, message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        ask(client, **fields)
    assert caught.value.param == param


def test_images_are_refused_by_name(client: openai.OpenAI) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    with pytest.raises(
        openai.BadRequestError, match='type "image_url": this server reads text only'
    ) as caught:
        ask(client, messages=[{"role": "user", "content": [image]}])
    assert caught.value.param == "messages[0].content[0].type"


def test_an_overlong_prompt_is_told_with_the_numbers(client: openai.OpenAI) -> None:
    long = [{"role": "user", "content": "word " * 2000}]
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=r"20\d\d tokens, but the context of 1024") as caught:
            ask(client, messages=long, stream=stream)
        assert caught.value.code == "context_length_exceeded"


def test_another_model_is_not_found(client: openai.OpenAI) -> None:
    for name in ("gpt-5", "../../etc/passwd", "/etc/passwd"):
        with pytest.raises(openai.NotFoundError, match="smollm2, gpt-4o-mini") as caught:
            ask(client, model=name)
        assert caught.value.code == "model_not_found"


def test_what_clients_send_and_nobody_needs_is_ignored(client: openai.OpenAI) -> None:
    plain = ask(client)
    other = ask(client, user="me", store=True, metadata={"a": "b"}, service_tier="auto", prediction=None)
    assert other.choices[0].message.content == plain.choices[0].message.content


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["smollm2", "gpt-4o-mini"]
    assert client.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("a/b")
