"""Thinking and tool calls of an answer, from tokens to what `LLM.chat` and `LLM.stream` give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from helpers.batches import TINY

from rushlight import LLM, SamplingParams
from rushlight.answer import Answer
from rushlight.completion import Chunk, Completion
from rushlight.errors import InvalidParameter
from rushlight.prompts import with_read_arguments
from rushlight.requests import ChatOptions
from rushlight.sampling import Sampled
from rushlight.text import ChatTemplate

USER = [{"role": "user", "content": "Weather?"}]
TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}"
    "{% for c in m.tool_calls %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% if think %}<think>\n{% endif %}{% endif %}"
    "{# </think> tools #}"
)
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Zürich"}}\n</tool_call>'


def get_weather(city: str) -> str:
    """Tell the weather.

    Args:
        city: Where
    """
    return city


@pytest.fixture(scope="module")
def llm() -> Iterator[LLM]:
    with LLM(TINY / "llama-mix.gguf", n_threads=1) as llm:
        llm.conversation.__dict__["template"] = ChatTemplate(TEMPLATE)
        llm.conversation.__dict__["tool_template"] = ChatTemplate("TOOLS" + TEMPLATE)
        yield llm


def written(llm: LLM, text: str, tools: list[Any] | None, **variables: Any) -> tuple[list[Chunk], Completion]:
    """What chat and stream give when the model writes a text."""

    def answer() -> Answer:
        sequence, answer = llm._request(
            USER, SamplingParams(), ChatOptions(tools=tools, chat_template_kwargs=variables)
        )
        for id in llm.tokenize(text, add_special=False, parse_special=False):
            answer.token(Sampled(id))
            sequence.append(id)
        sequence.finish_reason = "stop"
        answer.finished(sequence)
        return answer

    return list(answer().chunks()), answer().completion()


def test_parts_are_kept_apart_streamed_and_whole(llm: LLM) -> None:
    chunks, whole = written(llm, f"<think>\nHm.\n</think>\n\nI look.\n{CALL}", [get_weather])
    assert (whole.text, whole.reasoning, whole.finish_reason) == ("I look.", "Hm.", "tool_calls")
    (call,) = whole.tool_calls
    assert call["type"] == "function"
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Zürich"}
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert "".join(chunk.reasoning for chunk in chunks) == whole.reasoning
    assert [call for chunk in chunks for call in chunk.tool_calls] == whole.tool_calls
    assert chunks[-1].finish_reason == "tool_calls"
    assert [id for chunk in chunks for id in chunk.token_ids] == whole.token_ids


def test_without_tools_a_call_is_text(llm: LLM) -> None:
    _, whole = written(llm, CALL, None)
    assert (whole.text, whole.tool_calls, whole.finish_reason) == (CALL, [], "stop")


def test_a_prompt_that_opens_the_thinking_is_noticed(llm: LLM) -> None:
    _, whole = written(llm, "Hm.\n</think>\nYes.", None, think=True)
    assert (whole.text, whole.reasoning) == ("Yes.", "Hm.")


def test_a_prompt_as_it_is_has_no_parts(llm: LLM) -> None:
    sequence, answer = llm._request("abc", SamplingParams())
    for id in llm.tokenize("<think>a</think>b", add_special=False):
        answer.token(Sampled(id))
    sequence.finish_reason = "stop"
    answer.finished(sequence)
    assert answer.completion().text == "<think>a</think>b"


def test_conversations_with_tools_have_a_template_of_their_own(llm: LLM) -> None:
    assert llm.apply_chat_template(USER, [get_weather]) == "TOOLS[user]Weather?[assistant]"
    assert llm.apply_chat_template(USER) == "[user]Weather?[assistant]"
    thinking = llm.apply_chat_template(USER, chat_template_kwargs={"think": True})
    assert thinking == "[user]Weather?[assistant]<think>\n"


def test_variables_of_a_template_are_no_arguments(llm: LLM) -> None:
    with pytest.raises(InvalidParameter, match="cannot hold messages"):
        llm.chat(USER, chat_template_kwargs={"messages": []})


def test_calls_go_back_into_the_conversation(llm: LLM) -> None:
    _, whole = written(llm, CALL, [get_weather])
    messages = [*USER, {"role": "assistant", "content": "", "tool_calls": whole.tool_calls}]
    assert llm.apply_chat_template(messages, add_generation_prompt=False) == (
        "[user]Weather?[assistant]"
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Zürich"}}</tool_call>'
    )


@pytest.mark.parametrize("arguments", ["{", "[1]", "7", {"a": 1}, None, "[" * 100_000])
def test_arguments_that_are_no_json_object_stay_as_they_are(arguments: object) -> None:
    messages = [
        {"role": "assistant", "tool_calls": [{"function": {"arguments": arguments}}, "x", {"function": 1}]}
    ]
    assert with_read_arguments(messages) == messages  # type: ignore[arg-type]


def test_a_whole_chat_of_a_model_that_writes_nonsense(llm: LLM) -> None:
    params = SamplingParams(max_tokens=24, temperature=0, ignore_eos=True)
    whole = llm.chat(USER, params, tools=[get_weather])
    chunks = list(llm.stream(USER, params, tools=[get_weather]))
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert (whole.reasoning, whole.tool_calls, whole.finish_reason) == ("", [], "length")
