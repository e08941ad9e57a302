"""Functionary 3.1's tool calls: JSON in an element that names the function.

Source: the chat template of meetkai/functionary-medium-v3.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, checked_call, read_json
from rushlight.text.tool_formats.writing import CallWriting, Json, Piece

_BEGIN, _END = "<function=", "</function>"
_FUNCTION = re.compile(r"<function=([^>\s]+)>(.*)</function>", re.DOTALL)


def _parse(block: str, schemas: Schemas) -> list[Call]:
    match = _FUNCTION.fullmatch(block.strip())
    if match is None:
        raise ValueError("a function and its arguments were expected")
    return [checked_call(match.group(1), read_json(match.group(2)))]


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    return (f"{_BEGIN}{name}>", Json(parameters), _END)


FUNCTIONARY = ToolFormat(
    "functionary",
    "Functionary 3.1",
    (f"{_BEGIN}example_function_name>", _END),
    (_BEGIN,),
    (_END,),
    _parse,
    heads=(re.compile(r"<function=(?P<name>[^>\s]+)>\s*(?=\{)"),),
    writing=CallWriting(_call, blocks=""),
)
