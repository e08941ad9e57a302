"""Llama 3's tool calls: the whole answer is a JSON object, or several with semicolons between them.

Source: https://github.com/meta-llama/llama-models (``models/llama3_1/prompt_format.md``).
"""

from __future__ import annotations

from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, json_call, read_json

_TAG = "<|python_tag|>"


def _parse(block: str, schemas: Schemas) -> list[Call]:
    text = block.removeprefix(_TAG).strip()
    try:
        return [_call(text)]
    except ValueError:
        # A semicolon inside of a string is followed by no object, so such a text is no call at all.
        return [_call(part) for part in text.replace("};", "}\0").split("\0") if part.strip()]


def _call(text: str) -> Call:
    value = read_json(text)
    if not isinstance(value, dict) or not {"parameters", "arguments"} & value.keys():
        raise ValueError("an object with parameters was expected")
    return json_call(value)


LLAMA3 = ToolFormat(
    "llama-3",
    "Llama 3.1 to 3.3",
    template=('{"name": function name, "parameters": dictionary of argument name and its value}',),
    begins=(_TAG,),
    ends=(),
    parse=_parse,
    starts=('{"name"', '{ "name"', '{\n  "name"', '{"type"', '{ "type"', '{\n  "type"'),
)
