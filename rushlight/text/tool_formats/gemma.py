"""Gemma's tool calls: ``call:name{key:value}`` with marks of their own for quotes.

Sources: the chat templates of google/functiongemma-270m-it and google/gemma-4-31B-it.
"""

from __future__ import annotations

import re

from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call
from rushlight.text.tool_formats.values import Values

_NAME = re.compile(r"call:\s*([^{\s]+)\s*")


def _format(name: str, models: str, begin: str, end: str, quote: str) -> ToolFormat:
    def parse(block: str, schemas: Schemas) -> list[Call]:
        values = Values(between(block, begin, end), quotes=(quote, '"'), escapes=False)
        function = values.match(_NAME).group(1)
        arguments = values.value()
        values.end()
        return [checked_call(function, arguments)]

    return ToolFormat(name, models, (begin,), (begin,), (end,), parse, tokens=(quote,))


GEMMA4 = _format("gemma-4", "Gemma 4", "<|tool_call>", "<tool_call|>", '<|"|>')
FUNCTION_GEMMA = _format(
    "function-gemma", "FunctionGemma", "<start_function_call>", "<end_function_call>", "<escape>"
)
