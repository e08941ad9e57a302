"""What the tests of answers share: templates, calls as they write them, and parsers fed in pieces.

The text of a call is written by transformers from the model's template, as what the model was trained on was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import transformers.utils.chat_template_utils as oracle

from rushlight.text.answer_format import answer_format_of
from rushlight.text.answer_parts import AnswerParser, AnswerParts, CallMaker
from rushlight.text.reasoning import REASONING_TAGS
from rushlight.text.tagged_answer import TaggedAnswer
from rushlight.text.tool_formats import TOOL_FORMATS, ToolFormat

FOLDER = Path(__file__).parents[1] / "data" / "templates"
TEMPLATES = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.jinja"))}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
FORMATS = {each.name: each for each in TOOL_FORMATS}
TAGS = {each.open: each for each in REASONING_TAGS}
# Which format each template speaks; those that are not here speak none.
SPOKEN = {
    "apertus": "apertus",
    "deepseek-v3.1": "deepseek",
    "deepseek-v3.2": "deepseek-v3.2",
    "deepseek-v4": "deepseek-v4",
    "functionary-3.1": "functionary",
    "gemma-4": "gemma-4",
    "gigachat-3.1": "gigachat",
    "glm-4.6": "glm",
    "granite-4.0": "hermes",
    "hermes-2-pro-tools": "hermes",
    "hy3": "hy3",
    "kimi-k2": "kimi-k2",
    "kimi-k3": "kimi-k3",
    "lfm2.5": "lfm2",
    "llama-3.1": "llama-3",
    "llama-3.2": "llama-3",
    "minicpm5": "minicpm5",
    "minimax-m1": "minimax-m1",
    "minimax-m2": "minimax-m2",
    "minimax-m3": "minimax-m3",
    "ministral-3-reasoning": "mistral",
    "mistral-nemo": "mistral-json",
    "mistral-small-3.2": "mistral",
    "nemotron-nano-2": "nemotron",
    "qwen2.5": "hermes",
    "qwen3": "hermes",
    "qwen3-coder": "qwen3-coder",
    "qwen3.5": "qwen3-coder",
    "seed-oss": "seed-oss",
    "solar-open": "solar",
}
# These write no call that could be read back: they leave out arguments, or calls altogether.
UNWRITTEN = {"deepseek-r1": "deepseek-r1", "granite-3.3": "granite"}
SINGLE = {"llama-3.1", "llama-3.2", "gpt-oss", "gigachat-3.1"}
TURN_ENDS = (
    "<|im_end|>",
    "</s>",
    "<|eot_id|>",
    "[e~[",
    "<seed:eos>",
    "<SPECIAL_12>",
    "<|end_of_text|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "<|observation|>",
    "<turn|>",
    "<|tool_response>",
    "<|call|>",
    "<|eom_id|>",
    "<|message_sep|>",
    "<end_of_sentence>",
    "<\uff5chy_eos:opensource\uff5c>",
    "<|close|>message<|sep|>",
)
PROPERTIES = {
    "city": {"type": "string", "description": "Where"},
    "days": {"type": "integer", "description": "How many"},
    "exact": {"type": "boolean", "description": "Whether"},
    "where": {"type": "object", "description": "More"},
    "names": {"type": "array", "items": {"type": "string"}, "description": "Who"},
}
PARAMETERS = {"type": "object", "properties": PROPERTIES, "required": ["city"]}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": "Tell", "parameters": PARAMETERS}}
    for name in ("get_weather", "other")
]
ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    (
        "get_weather",
        {
            "city": 'Zü"rich, {x} }; [y] <z> \\ 👍',
            "days": 3,
            "exact": True,
            "where": {"a": [1, 2.5, None], "b": {}, "c": "}"},
            "names": ["a", "b, c"],
        },
    ),
    ("other", {"city": "12"}),
]
# MiniMax M3 writes nothing for null and for what is empty, and no schema says what that was.
READ_BACK = {
    "minimax-m3": [("get_weather", {**ARGUMENTS[0][1], "where": {"a": [1, 2.5, ""], "b": "", "c": "}"}})]
}
USER = [{"role": "user", "content": "Weather?"}]


def render(source: str, messages: list[dict[str, Any]], prompt: bool) -> str:
    return oracle.render_jinja_template(
        [messages], TOOLS, chat_template=source, add_generation_prompt=prompt, **SPECIAL
    )[0][0]


def written_calls(name: str, n: int) -> str:
    """The calls as the template writes them, without what ends the turn."""
    source, form = TEMPLATES[name], FORMATS.get(SPOKEN.get(name, ""))
    calls = [
        {"id": f"abcdef12{i}", "type": "function", "function": {"name": called, "arguments": arguments}}
        for i, (called, arguments) in enumerate(ARGUMENTS[:n])
    ]
    text = render(source, [*USER, {"role": "assistant", "content": "", "tool_calls": calls}], False)
    said = text[len(render(source, USER, False)) :]
    begins = ("<|start|>assistant",) if form is None else (*form.begins, *form.starts)
    begin = min(place for mark in begins if (place := said.find(mark)) >= 0)
    said = said[begin:] if form is not None else said[begin + len(begins[0]) :]
    return said[: min([len(said), *(place for end in TURN_ENDS if (place := said.find(end)) >= 0)])]


def parser_of(name: str, tools: list[Any] | None = TOOLS) -> AnswerParser:
    source = TEMPLATES[name]
    parser = answer_format_of(source).parser(render(source, USER, True), tools)
    assert parser is not None
    return parser


def thinks(name: str) -> bool:
    tags = answer_format_of(TEMPLATES[name]).tags
    return tags is not None and render(TEMPLATES[name], USER, True).rstrip().endswith(tags.open)


def parts_of(parser: AnswerParser, pieces: list[str]) -> AnswerParts:
    parts = AnswerParts()
    for piece in pieces:
        parts = parts.and_then(parser.feed(piece))
    parts = parts.and_then(parser.flush())
    complete = {delta.id: (delta.name, delta.arguments) for delta in parts.tool_deltas}
    for call in parts.tool_calls:
        assert complete[call["id"]] == (call["function"]["name"], call["function"]["arguments"])
    assert [delta.index for delta in parts.tool_deltas] == list(range(len(parts.tool_deltas)))
    return parts


def cuts(text: str) -> Iterator[list[str]]:
    for size in (1, 3, 7, len(text) or 1):
        yield [text[i : i + size] for i in range(0, len(text), size)]


def wanted_calls(name: str) -> list[tuple[str, dict[str, Any]]]:
    own = READ_BACK.get(name, [])
    return [*own, *ARGUMENTS[len(own) :]]


def calls_in(parts: AnswerParts) -> list[tuple[str, dict[str, Any]]]:
    functions = [call["function"] for call in parts.tool_calls]
    return [(function["name"], json.loads(function["arguments"])) for function in functions]


def tagged(tools: ToolFormat | None, tags: str = "<think>", opened: bool = False) -> TaggedAnswer:
    return TaggedAnswer(TAGS[tags], opened, tools, {"f": {"s": {"type": "string"}}}, CallMaker(""))
