"""Hy3's tool calls: XML with the names and values of the arguments in turn, whose marks end alike.

Source: the chat template of tencent/Hy3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.arguments import arguments_of, one_by_one, plain_value
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call
from rushlight.text.tool_formats.values import typed_value
from rushlight.text.tool_formats.writing import CallWriting, Piece

_KIND = ":opensource"
_BEGIN, _END = f"<tool_calls{_KIND}>", f"</tool_calls{_KIND}>"
_CALL_BEGIN, _CALL_END, _SEP = f"<tool_call{_KIND}>", f"</tool_call{_KIND}>", f"<tool_sep{_KIND}>"
_KEY, _KEY_END = f"<arg_key{_KIND}>", f"</arg_key{_KIND}>"
_VALUE, _VALUE_END = f"<arg_value{_KIND}>", f"</arg_value{_KIND}>"
_CALL = re.compile(rf"{_CALL_BEGIN}\s*([^<\n]+?)\s*{_SEP}(.*?){_CALL_END}\s*", re.DOTALL)
_ARGUMENT = re.compile(rf"\s*{_KEY}\s*(.*?)\s*{_KEY_END}\s*{_VALUE}(.*?){_VALUE_END}\s*", re.DOTALL)


def _parse(block: str, schemas: Schemas) -> list[Call]:
    text = between(block, _BEGIN, _END)
    if _CALL.sub("", text):
        raise ValueError("something other than calls")
    found = []
    for name, body in _CALL.findall(text):
        if _ARGUMENT.sub("", body).strip():
            raise ValueError("something other than arguments")
        types = schemas.get(name, {})
        arguments = {key: typed_value(value, types.get(key)) for key, value in _ARGUMENT.findall(body)}
        found.append(checked_call(name, arguments))
    return found


def _argument(key: str, schema: Any) -> tuple[Piece, ...]:
    value = plain_value(key, schema, _VALUE_END, (_CALL_END, _END))
    return (f"{_KEY}{key}{_KEY_END}\n{_VALUE}", *value, "\n")


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    arguments = one_by_one(arguments_of(name, parameters), _argument)
    return (f"{_CALL_BEGIN}{name}{_SEP}\n", *arguments, f"{_CALL_END}\n")


HY3 = ToolFormat(
    "hy3",
    "Hy3",
    (f"'{_KIND}'", "<tool_sep{}>", "<arg_key{}>"),
    (_BEGIN,),
    (_END,),
    _parse,
    tokens=(_CALL_BEGIN, _CALL_END, _SEP, _KEY, _KEY_END, _VALUE, _VALUE_END),
    writing=CallWriting(_call, f"{_BEGIN}\n", _END, between=""),
)
