"""DeepSeek's tool calls, in two spellings: R1 and V3 with a JSON code block, V3.1 with bare JSON.

Source: the chat templates of deepseek-ai/DeepSeek-R1 and DeepSeek-V3.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call, read_json
from rushlight.text.tool_formats.writing import CallWriting, Json, Piece

_BEGIN, _END = "<\uff5ctool\u2581calls\u2581begin\uff5c>", "<\uff5ctool\u2581calls\u2581end\uff5c>"
_CALL_BEGIN, _CALL_END = "<\uff5ctool\u2581call\u2581begin\uff5c>", "<\uff5ctool\u2581call\u2581end\uff5c>"
_SEPARATOR = "<\uff5ctool\u2581sep\uff5c>"
_CALL = re.compile(
    rf"{_CALL_BEGIN}\s*(?:function{_SEPARATOR}([^\n]+)\n```json\n(.*?)\n```|(.*?){_SEPARATOR}(.*?))\s*{_CALL_END}\s*",
    re.DOTALL,
)

_HEAD = re.compile(
    rf"(?:{_BEGIN}\s*|\s*(?:```)?\s*{_CALL_END}\s*){_CALL_BEGIN}\s*(?:function{_SEPARATOR})?(?P<name>[^\n<{{]+)"
    rf"(?:\n```json\n|{_SEPARATOR})\s*(?=\{{)"
)


def _parse(block: str, schemas: Schemas) -> list[Call]:
    text = between(block, _BEGIN, _END)
    if _CALL.sub("", text):
        raise ValueError("something other than calls")
    found = []
    for match in _CALL.finditer(text):
        name, arguments = match.group(1, 2) if match.group(1) else match.group(3, 4)
        found.append(checked_call(name.strip(), read_json(arguments)))
    return found


def _bare_call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    return (f"{_CALL_BEGIN}{name}{_SEPARATOR}", Json(parameters), _CALL_END)


def _block_call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    head = f"{_CALL_BEGIN}function{_SEPARATOR}{name}\n```json\n"
    return (head, Json(parameters), f"\n```{_CALL_END}")


def _format(name: str, models: str, writing: CallWriting, *template: str) -> ToolFormat:
    return ToolFormat(
        name,
        models,
        template=template,
        begins=(_BEGIN,),
        ends=(_END,),
        parse=_parse,
        tokens=(_CALL_BEGIN, _CALL_END, _SEPARATOR),
        heads=(_HEAD,),
        writing=writing,
    )


DEEPSEEK_R1 = _format(
    "deepseek-r1",
    "DeepSeek V3 and R1, and models distilled from R1",
    CallWriting(_block_call, _BEGIN, _END, between="\n"),
    _BEGIN,
    "```json",
)
DEEPSEEK = _format("deepseek", "DeepSeek V3.1", CallWriting(_bare_call, _BEGIN, _END, between=""), _BEGIN)
