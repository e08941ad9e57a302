"""``/v1/responses`` through OpenAI's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from running import RunningServer
from scripted import scripted
from test_messages import CALLS, HI

from rushlight import SamplingParams

TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": None,
}


@pytest.fixture(scope="module")
def client(smollm2: RunningServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=smollm2.v1, api_key="none", max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    return client.responses.create(
        **{"model": "smollm2", "input": HI[0]["content"], "max_output_tokens": 12, "temperature": 0, **fields}
    )


def test_an_answer_is_that_of_the_model(client: openai.OpenAI, smollm2: RunningServer) -> None:
    messages = [{"role": "system", "content": "Be brief."}, *HI]
    whole = smollm2.llm.chat(messages, SamplingParams(temperature=0, max_tokens=12))
    answer = ask(client, instructions="Be brief.")
    assert answer.output_text == whole.text
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == whole.usage[:2]
    assert answer.usage.output_tokens_details.reasoning_tokens == 0
    items = [{"role": "user", "content": [{"type": "input_text", "text": HI[0]["content"]}]}]
    assert ask(client, input=items, instructions="Be brief.").output_text == whole.text
    item = {"type": "message", "role": "developer", "content": "Be brief."}
    assert ask(client, input=[item, *items]).output_text == whole.text


def test_a_stream_is_the_answer(client: openai.OpenAI) -> None:
    fields = {"temperature": 1, "extra_body": {"seed": 5}, "include": ["message.output_text.logprobs"]}
    whole = ask(client, **fields, top_logprobs=2)
    events = list(ask(client, **fields, top_logprobs=2, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = list(dict.fromkeys(event.type for event in events))
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert "".join(event.delta for event in deltas) == whole.output_text
    final = events[-1].response
    assert final.output_text == whole.output_text and final.usage.output_tokens == whole.usage.output_tokens
    content = whole.output[0].content[0]
    assert len(content.logprobs) == 12 and len(content.logprobs[0].top_logprobs) == 2
    assert final.output[0].content[0].logprobs == content.logprobs
    with client.responses.stream(model="smollm2", input="Hi", max_output_tokens=5, temperature=0) as stream:
        assert "".join(e.delta for e in stream if e.type == "response.output_text.delta")


def test_thoughts_and_calls_are_items(client: openai.OpenAI, smollm2: RunningServer) -> None:
    with scripted(smollm2, CALLS):
        answer = ask(client, tools=[TOOL], max_output_tokens=200)
        events = list(ask(client, tools=[TOOL], max_output_tokens=200, stream=True))
    kinds = ["reasoning", "message", "function_call", "function_call"]
    assert [item.type for item in answer.output] == kinds
    assert answer.output[0].content[0].text.strip() == "He wants two."
    assert answer.output_text.strip() == "Let me look."
    assert [(c.name, c.arguments) for c in answer.output[2:]] == [
        ("weather", '{"city": "Graz"}'),
        ("weather", '{"city": "Bern"}'),
    ]
    assert answer.status == "completed"
    assert answer.usage.output_tokens_details.reasoning_tokens > 0
    final = events[-1].response
    assert [item.type for item in final.output] == kinds
    streamed: dict[int, str] = {}
    for event in events:
        if event.type == "response.function_call_arguments.delta":
            streamed[event.output_index] = streamed.get(event.output_index, "") + event.delta
    assert streamed == {2: '{"city": "Graz"}', 3: '{"city": "Bern"}'}
    assert (
        "".join(e.delta for e in events if e.type == "response.reasoning_text.delta").strip()
        == "He wants two."
    )
    added = [event.item for event in events if event.type == "response.output_item.added"]
    assert [item.id for item in added] == [item.id for item in final.output]


def test_the_output_of_one_answer_is_the_input_of_the_next(
    client: openai.OpenAI, smollm2: RunningServer
) -> None:
    with scripted(smollm2, CALLS) as prompts:
        answer = ask(client, tools=[TOOL], max_output_tokens=200)
        given = [item.to_dict() for item in answer.output]
        results = [
            {"type": "function_call_output", "call_id": item.call_id, "output": text}
            for item, text in zip(answer.output[2:], ("rain", "sun"), strict=True)
        ]
        ask(client, tools=[TOOL], input=[*HI, *given, *results], max_output_tokens=1)
        calls = [
            {"id": item.call_id, "function": {"name": item.name, "arguments": item.arguments}}
            for item in answer.output[2:]
        ]
        assistant = {
            "role": "assistant",
            "reasoning": answer.output[0].content[0].text,
            "content": answer.output_text,
            "tool_calls": calls,
        }
        tools = [{"role": "tool", "content": text} for text in ("rain", "sun")]
        function = {key: TOOL[key] for key in ("name", "description", "parameters")}
        expected = smollm2.llm.apply_chat_template(
            [*HI, assistant, *tools], [{"type": "function", "function": function}]
        )
    assert prompts[1] == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"previous_response_id": "resp_1"}, "nothing is stored"),
        ({"conversation": "conv_1"}, "nothing is stored"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "functions are the only tools"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "send the whole conversation"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "text only"),
        ({"input": []}, "1 or more"),
        ({"input": "word " * 3000}, "context of 1024"),
    ],
)
def test_what_cannot_be_is_refused(client: openai.OpenAI, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(openai.BadRequestError, match=message):
        ask(client, **fields)
