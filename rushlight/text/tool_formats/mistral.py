"""Mistral's tool calls: after ``[TOOL_CALLS]`` a JSON list, or since 2025 a name and its arguments.

Source: https://github.com/mistralai/mistral-common (instruct tokenizers v3 to v13).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.base import (
    Call,
    Schemas,
    ToolFormat,
    checked_call,
    json_call,
    json_head,
    read_json,
)
from rushlight.text.tool_formats.writing import (
    CallWriting,
    Json,
    Maybe,
    Pattern,
    Piece,
    json_object_call,
)

_BEGIN = "[TOOL_CALLS]"
_CALL = re.compile(r"([^\[\s{]+?)\s*(?:\[CALL_ID\](\w+))?\s*(?:\[ARGS\])?\s*(\{.*)", re.DOTALL)

_HEAD = re.compile(
    r"\[TOOL_CALLS\]\s*(?P<name>[^\[\s{]+?)\s*(?:\[CALL_ID\](?P<id>\w+))?\s*(?:\[ARGS\])?\s*(?=\{)"
)


def _parse(block: str, schemas: Schemas) -> list[Call]:
    text = block.removeprefix(_BEGIN).strip()
    if text.startswith(("[", "{")):
        value = read_json(text)
        return [json_call(each) for each in (value if isinstance(value, list) else [value])]
    match = _CALL.fullmatch(text)
    if match is None:
        raise ValueError("a name and its arguments were expected")
    name, id, arguments = match.groups()
    return [checked_call(name, read_json(arguments), id)]


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    id = Maybe(("[CALL_ID]", Pattern("[a-zA-Z0-9]{9}")))
    return (f"{_BEGIN}{name}", id, "[ARGS]", Json(parameters))


def _format(name: str, models: str, writing: CallWriting, *template: str) -> ToolFormat:
    return ToolFormat(
        name,
        models,
        template=template,
        begins=(_BEGIN,),
        ends=(),
        parse=_parse,
        tokens=("[CALL_ID]", "[ARGS]"),
        heads=(_HEAD, json_head(_BEGIN)),
        writing=writing,
    )


MISTRAL = _format(
    "mistral",
    "Mistral Small 3.2, Ministral 3, Magistral, Devstral",
    CallWriting(_call, blocks=""),
    _BEGIN,
    "[ARGS]",
)
MISTRAL_JSON = _format(
    "mistral-json",
    "Mistral 7B v0.3, Nemo, Small up to 3.1, Ministral 8B",
    CallWriting(json_object_call("name", "arguments"), f"{_BEGIN}[", "]", between=", "),
    _BEGIN,
)
