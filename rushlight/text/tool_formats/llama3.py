"""Llama 3's tool calls: the whole answer is a JSON object, or several with semicolons between them.

Source: https://github.com/meta-llama/llama-models (``models/llama3_1/prompt_format.md``).
"""

from __future__ import annotations

from rushlight.text.tool_formats.base import JSON, Call, Schemas, ToolFormat, json_call, json_head
from rushlight.text.tool_formats.writing import CallWriting, json_object_call

_TAG = "<|python_tag|>"


def _parse(block: str, schemas: Schemas) -> list[Call]:
    text = block.removeprefix(_TAG).strip()
    found: list[Call] = []
    while text:
        if found:
            if not text.startswith(";"):
                raise ValueError("something other than calls")
            text = text[1:].lstrip()
        value, end = JSON.raw_decode(text)
        if not isinstance(value, dict) or not {"parameters", "arguments"} & value.keys():
            raise ValueError("an object with parameters was expected")
        found.append(json_call(value))
        text = text[end:].lstrip()
    return found


LLAMA3 = ToolFormat(
    "llama-3",
    "Llama 3.1 to 3.3",
    template=('{"name": function name, "parameters": dictionary of argument name and its value}',),
    begins=(_TAG,),
    ends=(),
    parse=_parse,
    starts=('{"name"', '{ "name"', '{\n  "name"', '{"type"', '{ "type"', '{\n  "type"'),
    heads=(json_head(_TAG, ""),),
    writing=CallWriting(json_object_call("name", "parameters"), between="; "),
)
