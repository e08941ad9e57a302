"""Answers that have to match something, and calls that have to be made, through the official clients."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import anthropic
import openai
import pytest
from pydantic import BaseModel
from running import RunningServer
from scripted import scripted
from test_messages import HI

SCHEMA = {
    "type": "object",
    "properties": {"sport": {"enum": ["hockey", "chess"]}, "players": {"enum": [2, 12]}},
    "required": ["sport", "players"],
    "additionalProperties": False,
}
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"enum": ["Graz", "Bern"]}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "description": name, "parameters": PARAMETERS, "strict": True},
    }
    for name in ("weather", "time")
]


class Sport(BaseModel):
    sport: Literal["hockey", "chess"]
    players: Literal[2, 12]


@pytest.fixture(scope="module")
def client(smollm2: RunningServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=smollm2.v1, api_key="none", max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    return client.chat.completions.create(
        **{"model": "smollm2", "messages": HI, "max_tokens": 60, "seed": 3, **fields}
    )


def test_an_answer_is_json_of_a_schema_in_every_api(client: openai.OpenAI, smollm2: RunningServer) -> None:
    format = {"type": "json_schema", "json_schema": {"name": "sport", "strict": True, "schema": SCHEMA}}
    whole = ask(client, response_format=format).choices[0].message.content
    assert Sport.model_validate_json(whole)
    pieces = ask(client, response_format=format, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in pieces) == whole
    parsed = client.chat.completions.parse(
        model="smollm2",
        messages=HI,  # type: ignore[arg-type]
        response_format=Sport,
        max_tokens=60,
    )
    assert isinstance(parsed.choices[0].message.parsed, Sport)
    response = client.responses.parse(
        model="smollm2", input="A sport", text_format=Sport, max_output_tokens=60
    )
    assert isinstance(response.output_parsed, Sport)
    with anthropic.Anthropic(base_url=smollm2.url, api_key="none", max_retries=0) as other:
        message = other.messages.create(
            model="smollm2",
            messages=HI,  # type: ignore[arg-type]
            max_tokens=60,
            output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
        )
    assert Sport.model_validate_json(message.content[0].text)  # type: ignore[union-attr]
    free = ask(client, response_format={"type": "json_object"}, max_tokens=100)
    assert free.choices[0].message.content.startswith("{")


@pytest.mark.parametrize(
    ("extra", "pattern"),
    [
        ({"regex": "[0-9]{3}-[0-9]{2}"}, r"\d{3}-\d{2}"),
        ({"guided_regex": "(yes|no)"}, "yes|no"),
        ({"grammar": 'root ::= "a" [0-9] "b"'}, r"a\db"),
        ({"guided_grammar": 'start: "x" /[0-9]{2}/'}, r"x\d\d"),
        ({"guided_choice": ["a.b", "c|d"]}, r"a\.b|c\|d"),
        ({"structured_outputs": {"choice": ["red", "green"]}}, "red|green"),
        ({"structured_outputs": {"json": {"const": 7}}}, "7"),
        ({"json_schema": {"enum": ["on", "off"]}}, '"on"|"off"'),
        ({"guided_json": '{"const": null}'}, "null"),
        ({"response_format": {"type": "regex", "regex": "[ab]c"}}, "[ab]c"),
    ],
)
def test_extensions_constrain_chats_and_completions(
    client: openai.OpenAI, extra: dict[str, Any], pattern: str
) -> None:
    chat = ask(client, extra_body=extra).choices[0]
    assert re.fullmatch(pattern, chat.message.content) and chat.finish_reason == "stop"
    text = (
        client.completions.create(model="smollm2", prompt="It is ", extra_body=extra, seed=1).choices[0].text
    )
    assert re.fullmatch(pattern, text)


def test_calls_can_be_demanded_of_any_or_one_tool(client: openai.OpenAI, smollm2: RunningServer) -> None:
    named = {"type": "function", "function": {"name": "time"}}
    with scripted(smollm2, None):
        for choice in ("required", named):
            fields = {"tools": TOOLS, "tool_choice": choice, "parallel_tool_calls": False}
            whole = ask(client, **fields, max_tokens=150).choices[0]
            assert whole.finish_reason == "tool_calls"
            [call] = whole.message.tool_calls
            assert call.function.name in ({"weather", "time"} if choice == "required" else {"time"})
            arguments = json.loads(call.function.arguments)
            assert arguments in ({"city": "Graz"}, {"city": "Bern"})
            chunks = list(ask(client, **fields, max_tokens=150, stream=True))
            deltas = [each for c in chunks for each in c.choices[0].delta.tool_calls or []]
            assert (deltas[0].id, deltas[0].function.name) == (call.id, call.function.name)
            assert "".join(each.function.arguments or "" for each in deltas) == call.function.arguments
            assert len(deltas) > 2 and {each.index for each in deltas} == {0}
            assert all(each.id is None and each.function.name is None for each in deltas[1:])
            assert chunks[-1].choices[0].finish_reason == "tool_calls"
        response = client.responses.create(
            model="smollm2",
            input="Hi",
            tools=[{"type": "function", **TOOLS[1]["function"]}],  # type: ignore[list-item]
            tool_choice={"type": "function", "name": "time"},
            max_output_tokens=150,
        )
        assert [item.type for item in response.output if item.type != "reasoning"] == ["function_call"]
        with anthropic.Anthropic(base_url=smollm2.url, api_key="none", max_retries=0) as other:
            for one in ({"type": "any"}, {"type": "tool", "name": "weather"}):
                message = other.messages.create(
                    model="smollm2",
                    messages=HI,  # type: ignore[arg-type]
                    max_tokens=150,
                    tools=[{"name": "weather", "input_schema": PARAMETERS}],  # type: ignore[list-item]
                    tool_choice={**one, "disable_parallel_tool_use": True},  # type: ignore[arg-type]
                )
                assert message.stop_reason == "tool_use"
                assert set(message.content[-1].input) == {"city"}  # type: ignore[union-attr]


def test_no_tools_are_shown_where_none_may_be_called(client: openai.OpenAI, smollm2: RunningServer) -> None:
    with scripted(smollm2, "No.") as prompts:
        answer = ask(client, tools=TOOLS, tool_choice="none")
    assert answer.choices[0].message.tool_calls is None and "weather" not in prompts[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "strin"}}}}, "strin"),
        ({"response_format": {"type": "json_schema"}}, "json_schema is missing"),
        ({"response_format": {"type": "xml"}}, "json_object"),
        ({"extra_body": {"regex": "("}}, "regex"),
        ({"extra_body": {"grammar": "root ::= missing"}}, "missing"),
        ({"extra_body": {"regex": "a", "guided_json": {}}}, "at most one"),
        ({"extra_body": {"json_schema": {"enum": ["a" * 70_000]}}}, "at most 65536"),
        ({"extra_body": {"regex": "a"}, "response_format": {"type": "json_object"}}, "give one"),
        ({"tool_choice": "required"}, "no tools"),
        (
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "other"}}},
            "other",
        ),
        (
            {
                "tools": [
                    {"type": "function", "function": {"name": "f", "parameters": {"enum": ["a" * 70_000]}}}
                ]
            },
            "at most 65536",
        ),
    ],
)
def test_what_cannot_be_held_is_refused(client: openai.OpenAI, fields: dict[str, Any], message: str) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=message):
            ask(client, stream=stream, **json.loads(json.dumps(fields)))


def test_a_keyword_that_is_not_supported_is_named(client: openai.OpenAI) -> None:
    schema = {"type": "object", "propertyNames": {"pattern": "a"}, "unevaluatedProperties": False}
    with pytest.raises(openai.BadRequestError, match=r"propertyNames|unevaluatedProperties"):
        ask(client, response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema}})
