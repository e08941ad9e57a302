"""Apertus's tool calls: a JSON list of objects, each with the arguments under the function's name.

Source: the chat template of swiss-ai/Apertus-8B-Instruct.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call, read_json
from rushlight.text.tool_formats.writing import CallWriting, Json, Piece, json_literals

_BEGIN, _END = "<|tools_prefix|>", "<|tools_suffix|>"
_HEAD = re.compile(rf'(?:{re.escape(_BEGIN)}\s*\[\s*|\s*\}}\s*,\s*)\{{\s*"(?P<name>[^"\\]+)"\s*:\s*(?=\{{)')


def _parse(block: str, schemas: Schemas) -> list[Call]:
    value = read_json(between(block, _BEGIN, _END))
    calls = value if isinstance(value, list) else [value]
    if not all(isinstance(call, dict) and len(call) == 1 for call in calls):
        raise ValueError("objects of one function each were expected")
    return [checked_call(name, arguments) for call in calls for name, arguments in call.items()]


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    return (*json_literals(f"{{{json.dumps(name)}: "), Json(parameters), "}")


APERTUS = ToolFormat(
    "apertus",
    "Apertus",
    (_BEGIN, _END),
    (_BEGIN,),
    (_END,),
    _parse,
    heads=(_HEAD,),
    writing=CallWriting(_call, f"{_BEGIN}[", f"]{_END}", between=", "),
)
