"""``/v1/messages`` through Anthropic's own client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from running import RunningServer
from scripted import scripted

from rushlight import SamplingParams

BRIEF = "Be brief. " * 20
HI = [{"role": "user", "content": "Hi, tell me about ice hockey"}]
TOOL = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALLS = (
    "<think>\nHe wants two.\n</think>\n\nLet me look.\n"
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Graz"}}\n</tool_call>\n'
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Bern"}}\n</tool_call>'
)


@pytest.fixture(scope="module")
def client(smollm2: RunningServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=smollm2.url, api_key="none", max_retries=0) as client:
        yield client


def ask(client: anthropic.Anthropic, **fields: Any) -> Any:
    extra = {"temperature": 0, **fields.pop("extra_body", {})}
    given = {"model": "smollm2", "messages": HI, "max_tokens": 12, **fields}
    return client.messages.create(**given, extra_body=extra)


def test_an_answer_is_that_of_the_model(client: anthropic.Anthropic, smollm2: RunningServer) -> None:
    system = {"role": "system", "content": BRIEF}
    whole = smollm2.llm.chat([system, *HI], SamplingParams(temperature=0, max_tokens=12))
    for given in (
        BRIEF,
        [{"type": "text", "text": BRIEF, "cache_control": {"type": "ephemeral"}}],
    ):
        answer = ask(client, system=given)
        assert [block.text for block in answer.content] == [whole.text]
        assert (answer.stop_reason, answer.role, answer.type) == ("max_tokens", "assistant", "message")
        used = answer.usage
        assert used.input_tokens + used.cache_read_input_tokens == whole.usage.prompt_tokens
        assert used.output_tokens == 12
    assert answer.usage.cache_read_input_tokens > 0


def test_a_stream_is_the_answer(client: anthropic.Anthropic) -> None:
    fields: dict[str, Any] = {"max_tokens": 30, "extra_body": {"temperature": 1, "seed": 5}}
    whole = ask(client, **fields)
    with client.messages.stream(model="smollm2", messages=HI, **fields) as stream:  # type: ignore[arg-type]
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text  # type: ignore[union-attr]
    assert final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens
    raw = [event.type for event in ask(client, stream=True)]
    assert raw[:2] == ["message_start", "content_block_start"]
    assert raw[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_a_stop_sequence_is_told(client: anthropic.Anthropic) -> None:
    text = ask(client, max_tokens=30).content[0].text
    stop = text[20:24]
    answer = ask(client, max_tokens=30, stop_sequences=["never", stop])
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", stop)
    assert answer.content[0].text == text[: text.index(stop)]


def test_thoughts_and_calls_are_blocks(client: anthropic.Anthropic, smollm2: RunningServer) -> None:
    with scripted(smollm2, CALLS):
        answer = ask(client, tools=[TOOL], max_tokens=200)
        with client.messages.stream(
            model="smollm2",
            messages=HI,  # type: ignore[arg-type]
            tools=[TOOL],  # type: ignore[list-item]
            max_tokens=200,
        ) as stream:
            events = list(stream)
            final = stream.get_final_message()
    assert [block.type for block in answer.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert answer.content[0].thinking.strip() == "He wants two."
    assert answer.content[1].text.strip() == "Let me look."
    assert [(block.name, block.input) for block in answer.content[2:]] == [
        ("weather", {"city": "Graz"}),
        ("weather", {"city": "Bern"}),
    ]
    assert len({block.id for block in answer.content[2:]}) == 2
    assert answer.stop_reason == "tool_use"
    kinds = [block.model_dump(exclude={"id"}) for block in final.content]
    expected = [block.model_dump(exclude={"id"}) for block in answer.content]
    assert [
        {k: v for k, v in kind.items() if k in other} for kind, other in zip(kinds, expected, strict=True)
    ] == (expected)
    assert final.usage.output_tokens_details.thinking_tokens > 0  # type: ignore[union-attr]
    deltas = [event for event in events if event.type == "content_block_delta" and event.index == 2]
    assert json.loads("".join(event.delta.partial_json for event in deltas)) == {"city": "Graz"}  # type: ignore[union-attr]


def test_a_conversation_with_tools_reads_as_the_template_writes_it(
    client: anthropic.Anthropic, smollm2: RunningServer
) -> None:
    rain = {"type": "text", "text": "rain"}
    use = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Graz"}}
    messages = [
        *HI,
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm", "signature": ""}, use]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "call_1",
                    "content": [rain],
                },
                {"type": "text", "text": "Well?"},
            ],
        },
    ]
    plain = [
        {"role": "user", "content": HI[0]["content"]},
        {
            "role": "assistant",
            "content": "",
            "reasoning": "Hm",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": {"city": "Graz"}},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "user", "content": "Well?"},
    ]
    function = {
        "name": "weather",
        "description": TOOL["description"],
        "parameters": TOOL["input_schema"],
    }
    with scripted(smollm2, "Rain.") as prompts:
        ask(client, messages=messages, tools=[TOOL])
        counted = client.messages.count_tokens(
            model="smollm2",
            messages=messages,  # type: ignore[arg-type]
            tools=[TOOL],  # type: ignore[list-item]
        )
        expected = smollm2.llm.apply_chat_template(plain, [{"type": "function", "function": function}])
        ask(client, thinking={"type": "disabled"})
        ask(client, thinking={"type": "enabled", "budget_tokens": 2000})
        ask(client, tools=[TOOL], tool_choice={"type": "none"})
    assert prompts[0] == prompts[1] == prompts[2] == expected
    assert counted.input_tokens == len(smollm2.llm.tokenize(expected))
    assert prompts[3].endswith("<think>\n\n</think>\n\n") and not prompts[4].endswith("</think>\n\n")
    assert "weather" not in prompts[5]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": [*HI, {"role": "assistant", "content": "It"}]}, "end with the user's"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "text only"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"words": 1}}, "Unknown field words"),
        ({"messages": [{"role": "user", "content": "word " * 3000}]}, "context of 1024"),
    ],
)
def test_errors_have_anthropics_shape(
    client: anthropic.Anthropic, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message) as caught:
        ask(client, **fields)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert caught.value.request_id == body["request_id"]


def test_another_model_is_not_found(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        ask(client, model="claude")
