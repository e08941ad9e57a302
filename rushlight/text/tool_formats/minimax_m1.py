"""MiniMax M1's tool calls: an object of JSON in each line between two marks.

Source: the chat template of MiniMaxAI/MiniMax-M1-80k.
"""

from __future__ import annotations

from rushlight.text.tool_formats.base import (
    JSON,
    Call,
    Schemas,
    ToolFormat,
    between,
    json_call,
    json_head,
)
from rushlight.text.tool_formats.writing import CallWriting, json_object_call

_BEGIN, _END = "<tool_calls>", "</tool_calls>"


def _parse(block: str, schemas: Schemas) -> list[Call]:
    rest, calls = between(block, _BEGIN, _END), []
    while rest:
        value, end = JSON.raw_decode(rest)
        calls.append(json_call(value))
        rest = rest[end:].lstrip()
    return calls


MINIMAX_M1 = ToolFormat(
    "minimax-m1",
    "MiniMax M1",
    (_BEGIN, '{"name": <tool-name>, "arguments": <args-json-object>}'),
    (_BEGIN,),
    (_END,),
    _parse,
    heads=(json_head(_BEGIN),),
    writing=CallWriting(json_object_call("name", "arguments"), f"{_BEGIN}\n", f"\n{_END}", between="\n"),
)
