"""LFM2's tool calls: a list of calls as Python writes them, with named arguments of plain values.

Source: https://docs.liquid.ai (LFM2, tool use).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.arguments import arguments_of, separated
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call
from rushlight.text.tool_formats.values import Values
from rushlight.text.tool_formats.writing import CallWriting, Json, Piece

_BEGIN, _END = "<|tool_call_start|>", "<|tool_call_end|>"
_NAME = re.compile(r"\s*([\w.\-]+)\s*\(")
_KEY = re.compile(r"\s*(\w+)\s*=")


def _parse(block: str, schemas: Schemas) -> list[Call]:
    values = Values(between(block, _BEGIN, _END))
    values.expect("[")
    found: list[Call] = []
    while not values.take("]"):
        if found:
            values.expect(",")
        name = values.match(_NAME).group(1)
        arguments: dict[str, Any] = {}
        while not values.take(")"):
            if arguments:
                values.expect(",")
            key = values.match(_KEY).group(1)
            arguments[key] = values.value()
        found.append(checked_call(name, arguments))
    values.end()
    return found


def _argument(key: str, schema: Any) -> tuple[Piece, ...]:
    return (f"{key}=", Json(schema))  # JSON's values read as Python's do


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    return (f"{name}(", *separated(arguments_of(name, parameters), _argument, ", "), ")")


LFM2 = ToolFormat(
    "lfm2",
    "LFM2 and LFM2.5",
    ("List of tools: ",),
    begins=(_BEGIN,),
    ends=(_END,),
    parse=_parse,
    writing=CallWriting(_call, f"{_BEGIN}[", f"]{_END}", between=", "),
)
