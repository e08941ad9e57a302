"""Solar Open's tool calls: an id, a name and JSON, each after a mark of its own.

Source: the chat template of upstage/Solar-Open-100B.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.base import JSON, Call, Schemas, ToolFormat, checked_call
from rushlight.text.tool_formats.writing import CallWriting, Json, Pattern, Piece

_BEGIN, _END = "<|tool_calls|>", "<|calls|>"
_CALL_BEGIN, _NAME, _ARGS = "<|tool_call:begin|>", "<|tool_call:name|>", "<|tool_call:args|>"
_CALL_END = "<|tool_call:end|>"
_HEAD = re.compile(
    rf"(?:{re.escape(_BEGIN)}\s*|\s*{re.escape(_CALL_END)}\s*){re.escape(_CALL_BEGIN)}\s*(?P<id>[^<\s]+)\s*"
    rf"{re.escape(_NAME)}\s*(?P<name>[^<\s]+)\s*{re.escape(_ARGS)}\s*(?=\{{)"
)


def _parse(block: str, schemas: Schemas) -> list[Call]:
    found: list[Call] = []
    place = 0
    while (match := _HEAD.match(block, place)) is not None:
        arguments, place = JSON.raw_decode(block, match.end())
        found.append(checked_call(match["name"], arguments, match["id"]))
    if block[place:].split() != [_CALL_END + _END]:
        raise ValueError("something other than calls")
    return found


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    return (_CALL_BEGIN, Pattern("[a-z0-9]{10}"), f"{_NAME}{name}{_ARGS}", Json(parameters), _CALL_END)


SOLAR = ToolFormat(
    "solar",
    "Solar Open",
    (_BEGIN, _CALL_BEGIN),
    (_BEGIN,),
    (_END,),
    _parse,
    tokens=(_CALL_BEGIN, _NAME, _ARGS, _CALL_END),
    heads=(_HEAD,),
    writing=CallWriting(_call, _BEGIN, _END, between=""),
)
