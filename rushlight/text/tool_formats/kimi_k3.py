"""Kimi K3's tool calls: tags of special tokens, one for each argument, which says the argument's type.

Source: the chat template of moonshotai/Kimi-K3 that llama.cpp has (``models/templates/Kimi-K3.jinja``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.arguments import arguments_of, one_by_one, plain_value
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call, read_json
from rushlight.text.tool_formats.writing import CallWriting, Pattern, Piece

_OPEN, _SEP, _CLOSE = "<|open|>", "<|sep|>", "<|close|>"
_BEGIN, _END = f"{_OPEN}tools{_SEP}", f"{_CLOSE}tools{_SEP}"
_CALL_END, _ARGUMENT_END = f"{_CLOSE}call{_SEP}", f"{_CLOSE}argument{_SEP}"
_CALL = re.compile(
    rf'{re.escape(_OPEN)}call tool="([^"]*)"[^<]*{re.escape(_SEP)}(.*?){re.escape(_CALL_END)}\s*', re.DOTALL
)
_ARGUMENT = re.compile(
    rf'{re.escape(_OPEN)}argument key="([^"]*)"(?: type="([a-z]+)")?{re.escape(_SEP)}(.*?)'
    rf"{re.escape(_ARGUMENT_END)}\s*",
    re.DOTALL,
)
_OBJECT = re.compile(
    rf'{re.escape(_OPEN)}json type="object"{re.escape(_SEP)}(.*){re.escape(_CLOSE)}json{re.escape(_SEP)}\s*',
    re.DOTALL,
)
_TYPES = {"integer": "number", **{each: each for each in ("string", "number", "boolean", "object", "array")}}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;")


def _unescape(text: str) -> str:
    return text.replace("&quot;", '"').replace("&amp;", "&")


def _parse(block: str, schemas: Schemas) -> list[Call]:
    text = between(block, _BEGIN, _END)
    if _CALL.sub("", text):
        raise ValueError("something other than calls")
    return [checked_call(_unescape(name), _arguments(body)) for name, body in _CALL.findall(text)]


def _arguments(body: str) -> Any:
    if (whole := _OBJECT.fullmatch(body)) is not None:
        return read_json(whole.group(1))
    if _ARGUMENT.sub("", body).strip():
        raise ValueError("something other than arguments")
    return {
        _unescape(key): value if kind in ("string", "") else read_json(value)
        for key, kind, value in _ARGUMENT.findall(body)
    }


def _argument(key: str, schema: Any) -> tuple[Piece, ...]:
    kind = _TYPES.get(schema.get("type", "")) if isinstance(schema, Mapping) else None
    named = (f'{kind}"',) if kind else (Pattern("(number|boolean|object|array|null)"), '"')
    value = plain_value(key, schema, _ARGUMENT_END, (_CALL_END, _END))
    return (f'{_OPEN}argument key="{_escape(key)}" type="', *named, _SEP, *value)


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    head = (f'{_OPEN}call tool="{_escape(name)}" index="', Pattern("[0-9]{1,3}"), f'"{_SEP}')
    return (*head, *one_by_one(arguments_of(name, parameters), _argument), _CALL_END)


KIMI_K3 = ToolFormat(
    "kimi-k3",
    "Kimi K3",
    (_OPEN, "open_tag('call'", "open_tag('argument'"),
    (_BEGIN,),
    (_END,),
    _parse,
    tokens=(_OPEN, _SEP, _CLOSE),
    writing=CallWriting(_call, _BEGIN, _END, between=""),
)
