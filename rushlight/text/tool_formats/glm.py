"""GLM's tool calls since 4.5: XML with the names and values of the arguments in turn.

Source: the chat template of zai-org/GLM-4.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.arguments import arguments_of, one_by_one, plain_value
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call
from rushlight.text.tool_formats.values import typed_value
from rushlight.text.tool_formats.writing import CallWriting, Piece

_ARGUMENT = re.compile(r"\s*<arg_key>\s*(.*?)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>\s*", re.DOTALL)


def _parse(block: str, schemas: Schemas) -> list[Call]:
    name, tag, rest = between(block, "<tool_call>", "</tool_call>").partition("<arg_key>")
    body, name = tag + rest, name.strip()
    if _ARGUMENT.sub("", body) or "\n" in name:
        raise ValueError("something other than arguments")
    types = schemas.get(name, {})
    return [checked_call(name, {key: typed_value(v, types.get(key)) for key, v in _ARGUMENT.findall(body)})]


def _argument(key: str, schema: Any) -> tuple[Piece, ...]:
    value = plain_value(key, schema, "</arg_value>", ("</tool_call>",))
    return (f"<arg_key>{key}</arg_key>\n<arg_value>", *value, "\n")


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    return (f"{name}\n", *one_by_one(arguments_of(name, parameters), _argument))


GLM = ToolFormat(
    "glm",
    "GLM 4.5 to 4.7, Laguna, Spark 2.5",
    template=("<tool_call>", "<arg_key>", "<arg_value>"),
    begins=("<tool_call>",),
    ends=("</tool_call>",),
    parse=_parse,
    writing=CallWriting(_call, "<tool_call>", "</tool_call>", blocks="\n"),
)
