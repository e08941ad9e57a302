"""Tool calls as JSON between two marks: an object, or a list of objects.

Sources: the chat templates of the models (``tokenizer_config.json``), and
https://github.com/NousResearch/Hermes-Function-Calling for Hermes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.base import (
    Call,
    Schemas,
    ToolFormat,
    between,
    json_call,
    json_head,
    read_json,
)
from rushlight.text.tool_formats.writing import CallWriting, Pattern, Piece, json_object_call

_OBJECT = json_object_call("name", "arguments")


def _json_blocks(
    name: str, models: str, begin: str, end: str, writing: CallWriting, *template: str
) -> ToolFormat:
    def parse(block: str, schemas: Schemas) -> list[Call]:
        value = read_json(between(block, begin, end))
        return [json_call(each) for each in (value if isinstance(value, list) else [value])]

    return ToolFormat(
        name,
        models,
        template or (begin,),
        (begin,),
        (end,),
        parse,
        heads=(json_head(begin),),
        writing=writing,
    )


def _list(begin: str, end: str) -> CallWriting:
    return CallWriting(_OBJECT, f"{begin}[", f"]{end}", between=", ")


def _cohere(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    """A call with its number as its id."""
    rest = json_object_call("tool_name", "parameters")(name, parameters)
    return ("{", '"tool_call_id"', ": ", Pattern('"[0-9]{1,2}"'), ", ", *rest[1:])


HERMES = _json_blocks(
    "hermes",
    "Hermes 2 and 3, Qwen 2.5, Qwen 3, Granite 4",
    "<tool_call>",
    "</tool_call>",
    CallWriting(_OBJECT, "<tool_call>\n", "\n</tool_call>", blocks="\n"),
)
APRIEL = _json_blocks(
    "apriel",
    "Apriel 1.5",
    "<tool_calls>",
    "</tool_calls>",
    _list("<tool_calls>", "</tool_calls>"),
    "<tool_calls>[{",
)
NEMOTRON = _json_blocks(
    "nemotron", "Nemotron Nano 2", "<TOOLCALL>", "</TOOLCALL>", _list("<TOOLCALL>", "</TOOLCALL>")
)
COHERE = _json_blocks(
    "cohere",
    "Command R7B and A",
    "<|START_ACTION|>",
    "<|END_ACTION|>",
    CallWriting(_cohere, "<|START_ACTION|>[\n    ", "\n]<|END_ACTION|>", between=",\n    "),
)
PHI4 = _json_blocks(
    "phi-4",
    "Phi-4 mini",
    "<|tool_call|>",
    "<|/tool_call|>",
    _list("<|tool_call|>", "<|/tool_call|>"),
    "<|/tool_call|>",
)


def _granite(block: str, schemas: Schemas) -> list[Call]:
    value = read_json(block.removeprefix("<|tool_call|>"))
    return [json_call(each) for each in value] if isinstance(value, list) else []


GRANITE = ToolFormat(
    "granite",
    "Granite 3",
    ("<|tool_call|>",),
    begins=("<|tool_call|>",),
    ends=(),
    parse=_granite,
    heads=(json_head("<|tool_call|>"),),
    writing=_list("<|tool_call|>", ""),
)
