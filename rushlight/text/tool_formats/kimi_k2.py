"""Kimi K2's tool calls: JSON after a name with a number, which together are the call's id.

Source: https://github.com/MoonshotAI/Kimi-K2 (``docs/tool_call_guidance.md``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call, read_json
from rushlight.text.tool_formats.writing import CallWriting, Json, Pattern, Piece

_BEGIN, _END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
_CALL_BEGIN, _CALL_END = "<|tool_call_begin|>", "<|tool_call_end|>"
_ARGUMENTS = "<|tool_call_argument_begin|>"
_CALL = re.compile(
    rf"{re.escape(_CALL_BEGIN)}\s*((?:functions\.)?([^:<]+?)(?::\d+)?)\s*{re.escape(_ARGUMENTS)}(.*?)"
    rf"{re.escape(_CALL_END)}\s*",
    re.DOTALL,
)

_HEAD = re.compile(
    rf"(?:{re.escape(_BEGIN)}\s*|\s*{re.escape(_CALL_END)}\s*){re.escape(_CALL_BEGIN)}\s*"
    rf"(?P<id>(?:functions\.)?(?P<name>[^:<]+?)(?::\d+)?)\s*{re.escape(_ARGUMENTS)}\s*(?=\{{)"
)


def _parse(block: str, schemas: Schemas) -> list[Call]:
    text = between(block, _BEGIN, _END)
    if _CALL.sub("", text):
        raise ValueError("something other than calls")
    return [checked_call(name, read_json(arguments), id) for id, name, arguments in _CALL.findall(text)]


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    head = (f"{_CALL_BEGIN}functions.{name}:", Pattern("[0-9]{1,3}"), _ARGUMENTS)
    return (*head, Json(parameters), _CALL_END)


KIMI_K2 = ToolFormat(
    "kimi-k2",
    "Kimi K2",
    template=(_BEGIN, _ARGUMENTS),
    begins=(_BEGIN,),
    ends=(_END,),
    parse=_parse,
    tokens=(_CALL_BEGIN, _CALL_END, _ARGUMENTS),
    heads=(_HEAD,),
    writing=CallWriting(_call, _BEGIN, _END, between=""),
)
