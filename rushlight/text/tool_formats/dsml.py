"""DeepSeek's tool calls since V3.2: XML with one ``invoke`` for each call, which says what is a string.

Source: the chat templates of deepseek-ai/DeepSeek-V3.2 and V4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.arguments import arguments_of, one_by_one, plain_value
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call, read_json
from rushlight.text.tool_formats.writing import CallWriting, Piece

_TOKEN = "\uff5cDSML\uff5c"
_INVOKE = re.compile(rf'<{_TOKEN}invoke name="([^"]+)">\s*(.*?)\s*</{_TOKEN}invoke>\s*', re.DOTALL)
_PARAMETER = re.compile(
    rf'<{_TOKEN}parameter name="([^"]+)" string="(true|false)">(.*?)</{_TOKEN}parameter>\s*', re.DOTALL
)


def _format(name: str, models: str, tag: str, *template: str) -> ToolFormat:
    begin, end = f"<{_TOKEN}{tag}>", f"</{_TOKEN}{tag}>"

    def parse(block: str, schemas: Schemas) -> list[Call]:
        text = between(block, begin, end)
        if _INVOKE.sub("", text):
            raise ValueError("something other than calls")
        return [checked_call(function, _arguments(body)) for function, body in _INVOKE.findall(text)]

    def argument(key: str, schema: Any) -> tuple[Piece, ...]:
        is_string = isinstance(schema, Mapping) and schema.get("type") in ("string", ["string"])
        value = plain_value(key, schema, f"</{_TOKEN}parameter>", (f"</{_TOKEN}invoke>", end))
        return (f'<{_TOKEN}parameter name="{key}" string="{str(is_string).lower()}">', *value, "\n")

    def call(function: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
        arguments = one_by_one(arguments_of(function, parameters), argument)
        return (f'<{_TOKEN}invoke name="{function}">\n', *arguments, f"</{_TOKEN}invoke>\n")

    return ToolFormat(
        name,
        models,
        ("dsml_token", *template),
        (begin,),
        (end,),
        parse,
        tokens=(_TOKEN,),
        writing=CallWriting(call, f"{begin}\n", end, between=""),
    )


def _arguments(body: str) -> dict[str, Any]:
    if _PARAMETER.sub("", body):
        raise ValueError("something other than parameters")
    return {
        key: text if is_string == "true" else read_json(text)
        for key, is_string, text in _PARAMETER.findall(body)
    }


DEEPSEEK_V3_2 = _format("deepseek-v3.2", "DeepSeek V3.2", "function_calls", "function_calls")
DEEPSEEK_V4 = _format("deepseek-v4", "DeepSeek V4", "tool_calls")
