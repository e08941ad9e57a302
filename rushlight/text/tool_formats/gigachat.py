"""GigaChat 3.1's tool calls: one object of JSON behind a mark, which ends the answer.

Source: the chat template of ai-sage/GigaChat3.1-10B-A1.8B.
"""

from __future__ import annotations

from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, json_call, json_head, read_json
from rushlight.text.tool_formats.writing import CallWriting, json_object_call

_BEGIN, _TURN_END = "<|function_call|>", "<|message_sep|>"


def _parse(block: str, schemas: Schemas) -> list[Call]:
    return [json_call(read_json(block.removeprefix(_BEGIN).strip().removesuffix(_TURN_END)))]


GIGACHAT = ToolFormat(
    "gigachat",
    "GigaChat 3.1",
    (_BEGIN, "<|role_sep|>"),
    (_BEGIN,),
    (),
    _parse,
    heads=(json_head(_BEGIN),),
    writing=CallWriting(json_object_call("name", "arguments"), _BEGIN),
)
