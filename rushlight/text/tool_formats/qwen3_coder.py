"""Qwen3-Coder's tool calls, also Qwen 3.5's and Seed-OSS's: XML with one element for each argument.

Source: the chat templates of Qwen/Qwen3-Coder, Qwen/Qwen3.5 and ByteDance-Seed/Seed-OSS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.arguments import arguments_of, one_by_one, plain_value
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call
from rushlight.text.tool_formats.values import typed_value
from rushlight.text.tool_formats.writing import CallWriting, Piece

_FUNCTION = re.compile(r"<function=([^>\s]+)>\s*(.*?)\s*</function>", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>\s*", re.DOTALL)


def _format(name: str, models: str, begin: str, end: str, line: str) -> ToolFormat:
    def parse(block: str, schemas: Schemas) -> list[Call]:
        match = _FUNCTION.fullmatch(between(block, begin, end))
        if match is None:
            raise ValueError("<function=...> was expected")
        function, body = match.groups()
        if _PARAMETER.sub("", body).strip():
            raise ValueError("something other than parameters")
        types = schemas.get(function, {})
        arguments = {key: typed_value(text, types.get(key)) for key, text in _PARAMETER.findall(body)}
        return [checked_call(function, arguments)]

    def argument(key: str, schema: Any) -> tuple[Piece, ...]:
        value = plain_value(key, schema, "</parameter>", (end,), line)
        return (f"<parameter={key}>{line}", *value, "\n")

    def call(function: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
        arguments = one_by_one(arguments_of(function, parameters), argument)
        return (f"<function={function}>\n", *arguments, "</function>")

    return ToolFormat(
        name,
        models,
        (begin, "<function=", "<parameter="),
        (begin,),
        (end,),
        parse,
        writing=CallWriting(call, f"{begin}\n", f"\n{end}", blocks="\n"),
    )


QWEN3_CODER = _format(
    "qwen3-coder", "Qwen3-Coder, Qwen 3.5, Nemotron 3 Nano, Step 3.5", "<tool_call>", "</tool_call>", "\n"
)
SEED_OSS = _format("seed-oss", "Seed-OSS", "<seed:tool_call>", "</seed:tool_call>", "")
