"""MiniCPM5's tool calls: XML with one ``param`` for each argument, in CDATA where it holds marks.

Source: the chat template of openbmb/MiniCPM5-1B.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.arguments import arguments_of, one_by_one, plain_value
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, checked_call
from rushlight.text.tool_formats.values import typed_value
from rushlight.text.tool_formats.writing import CallWriting, Piece

_BEGIN, _END = '<function name="', "</function>"
_FUNCTION = re.compile(r'<function name="([^"]+)">\s*(.*?)\s*</function>', re.DOTALL)
_PARAM = re.compile(
    r'<param name="([^"]+)">\s*(?:<!\[CDATA\[(?P<quoted>.*?)\]\]>\s*|(?P<plain>.*?))</param>\s*', re.DOTALL
)


def _parse(block: str, schemas: Schemas) -> list[Call]:
    match = _FUNCTION.fullmatch(block.strip())
    if match is None or _PARAM.sub("", match.group(2)):
        raise ValueError("a function and its parameters were expected")
    types = schemas.get(match.group(1), {})
    arguments = {}
    for param in _PARAM.finditer(match.group(2)):
        key, quoted = param.group(1), param.group("quoted")
        arguments[key] = typed_value(param.group("plain") if quoted is None else quoted, types.get(key))
    return [checked_call(match.group(1), arguments)]


def _argument(key: str, schema: Any) -> tuple[Piece, ...]:
    return (f'<param name="{key}">', *plain_value(key, schema, "</param>", ("<![CDATA[", _END)))


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    return (f'{_BEGIN}{name}">', *one_by_one(arguments_of(name, parameters), _argument), _END)


MINICPM5 = ToolFormat(
    "minicpm5",
    "MiniCPM5",
    (_BEGIN, '<param name="'),
    (_BEGIN,),
    (_END,),
    _parse,
    writing=CallWriting(_call, blocks="\n"),
)
