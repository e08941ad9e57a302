"""MiniMax M2's tool calls: XML with one ``invoke`` for each call.

Source: https://huggingface.co/MiniMaxAI/MiniMax-M2 (``docs/tool_calling_guide.md``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.arguments import arguments_of, one_by_one, plain_value
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call
from rushlight.text.tool_formats.values import typed_value
from rushlight.text.tool_formats.writing import CallWriting, Piece

_BEGIN, _END = "<minimax:tool_call>", "</minimax:tool_call>"
_INVOKE = re.compile(r'<invoke name="([^"]+)">\s*(.*?)\s*</invoke>\s*', re.DOTALL)
_PARAMETER = re.compile(r'<parameter name="([^"]+)">(.*?)</parameter>\s*', re.DOTALL)


def _parse(block: str, schemas: Schemas) -> list[Call]:
    text = between(block, _BEGIN, _END)
    if _INVOKE.sub("", text):
        raise ValueError("something other than calls")
    found = []
    for name, body in _INVOKE.findall(text):
        if _PARAMETER.sub("", body):
            raise ValueError("something other than parameters")
        types = schemas.get(name, {})
        arguments = {key: typed_value(value, types.get(key)) for key, value in _PARAMETER.findall(body)}
        found.append(checked_call(name, arguments))
    return found


def _argument(key: str, schema: Any) -> tuple[Piece, ...]:
    value = plain_value(key, schema, "</parameter>", ("</invoke>", _END))
    return (f'<parameter name="{key}">', *value, "\n")


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    arguments = one_by_one(arguments_of(name, parameters), _argument)
    return (f'<invoke name="{name}">\n', *arguments, "</invoke>\n")


MINIMAX_M2 = ToolFormat(
    "minimax-m2",
    "MiniMax M2",
    (_BEGIN,),
    begins=(_BEGIN,),
    ends=(_END,),
    parse=_parse,
    writing=CallWriting(_call, f"{_BEGIN}\n", _END, between=""),
)
