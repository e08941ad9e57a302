"""Gemma's tool calls: ``call:name{key:value}`` with marks of their own for quotes.

Sources: the chat templates of google/functiongemma-270m-it and google/gemma-4-31B-it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.errors import InvalidParameter
from rushlight.text.tool_formats.arguments import arguments_of, separated, string_value
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call
from rushlight.text.tool_formats.values import Values
from rushlight.text.tool_formats.writing import CallWriting, Json, Piece, Repeat

_NAME = re.compile(r"call:\s*([^{\s]+)\s*")


def _format(name: str, models: str, begin: str, end: str, quote: str) -> ToolFormat:
    def parse(block: str, schemas: Schemas) -> list[Call]:
        values = Values(between(block, begin, end), quotes=(quote, '"'), escapes=False)
        function = values.match(_NAME).group(1)
        arguments = values.value()
        values.end()
        return [checked_call(function, arguments)]

    def value(key: str, schema: Any) -> tuple[Piece, ...]:
        type = schema.get("type") if isinstance(schema, Mapping) else None
        if type == "string":
            return (quote, *string_value(key, schema, quote, (end,)))
        if type == "object":
            return ("{", *separated(arguments_of(key, schema), argument, ","), "}")
        if type == "array" and not schema.keys() - {"type", "items", "title", "description", "default"}:
            return ("[", Repeat(value(key, schema.get("items")), ","), "]")
        if type in ("integer", "number", "boolean", "null"):
            return (Json(schema),)
        raise InvalidParameter(
            f"The schema of the argument {key} cannot be held with this model; give it one type, of an array "
            "only items."
        )

    def argument(key: str, schema: Any) -> tuple[Piece, ...]:
        return (f"{key}:", *value(key, schema))

    def call(function: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
        arguments = separated(arguments_of(function, parameters), argument, ",")
        return (f"call:{function}{{", *arguments, "}")

    return ToolFormat(
        name,
        models,
        (begin,),
        (begin,),
        (end,),
        parse,
        tokens=(quote,),
        writing=CallWriting(call, begin, end, blocks=""),
    )


GEMMA4 = _format("gemma-4", "Gemma 4", "<|tool_call>", "<tool_call|>", '<|"|>')
FUNCTION_GEMMA = _format(
    "function-gemma", "FunctionGemma", "<start_function_call>", "<end_function_call>", "<escape>"
)
