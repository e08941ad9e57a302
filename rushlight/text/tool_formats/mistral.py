"""Mistral's tool calls: after ``[TOOL_CALLS]`` a JSON list, or since 2025 a name and its arguments.

Source: https://github.com/mistralai/mistral-common (instruct tokenizers v3 to v13).
"""

from __future__ import annotations

import re

from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, checked_call, json_call, read_json

_BEGIN = "[TOOL_CALLS]"
_CALL = re.compile(r"([^\[\s{]+?)\s*(?:\[CALL_ID\](\w+))?\s*(?:\[ARGS\])?\s*(\{.*)", re.DOTALL)


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


MISTRAL = ToolFormat(
    "mistral",
    "Mistral and Ministral since 7B v0.3, Magistral, Devstral",
    template=(_BEGIN,),
    begins=(_BEGIN,),
    ends=(),
    parse=_parse,
    tokens=("[CALL_ID]", "[ARGS]"),
)
