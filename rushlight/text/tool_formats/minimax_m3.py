"""MiniMax M3's tool calls: XML with a mark before every tag, in which objects and lists are elements too.

An empty element stands for an empty string, list or object, and null is left out or empty: what it is, only a
schema can tell. A list has elements ``item``. Objects and lists in JSON are read as well, and demanded calls
have those.

Source: the chat template of MiniMaxAI/MiniMax-M3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.arguments import arguments_of, one_by_one, plain_value
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, checked_call
from rushlight.text.tool_formats.values import typed_value
from rushlight.text.tool_formats.writing import CallWriting, Piece

_MARK = "]<]minimax[>["
_BEGIN, _END = f"{_MARK}<tool_call>", f"{_MARK}</tool_call>"
_TAG = re.compile(r"<(/?[^<>]+)>(.*)", re.DOTALL)
_INVOKE = re.compile(r'invoke name="([^"]+)"')
_MAX_DEPTH = 64
_EMPTY: dict[str, Any] = {"object": {}, "array": []}


class _Elements:
    """The tags of a block, one after the other, each with the text behind it."""

    def __init__(self, text: str) -> None:
        before, *tags = text.split(_MARK)
        found = [_TAG.fullmatch(tag) for tag in tags]
        if before.strip() or None in found:
            raise ValueError("something other than elements")
        self._tags = [(tag.group(1), tag.group(2)) for tag in found if tag is not None]
        self._place = 0

    def __bool__(self) -> bool:
        return self._place < len(self._tags)

    def ends(self, name: str) -> bool:
        """Step over the end of an element, if that comes next."""
        if not self:
            raise ValueError(f"{name} does not end")
        tag, text = self._tags[self._place]
        if tag != f"/{name}":
            return False
        if text.strip():
            raise ValueError("text between elements")
        self._place += 1
        return True

    def begin(self) -> tuple[str, str]:
        """Step over the beginning of an element: its name, and the text behind it."""
        self._place += 1
        return self._tags[self._place - 1]

    def children(self, name: str, schemas: Mapping[str, Any], depth: int) -> list[tuple[str, Any]]:
        """Names and values of the elements up to the end of the one that has begun."""
        found = []
        while not self.ends(name):
            child, text = self.begin()
            found.append((child, self._value(child, text, schemas.get(child), depth)))
        return found

    def _value(self, name: str, text: str, schema: Any, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        schema = schema if isinstance(schema, Mapping) else {}
        kind = schema.get("type")
        if self.ends(name):
            empty = None if text or not isinstance(kind, str) else _EMPTY.get(kind)
            return typed_value(text, schema) if empty is None else type(empty)()
        if text.strip():
            raise ValueError("text between elements")
        items, properties = {"item": schema.get("items")}, schema.get("properties")
        if kind == "array" or not isinstance(properties, Mapping):
            properties = {} if kind == "object" else items
        children = self.children(name, properties, depth + 1)
        if kind != "object" and all(child == "item" for child, _ in children):
            return [value for _, value in children]
        return dict(children)


def _parse(block: str, schemas: Schemas) -> list[Call]:
    elements, found = _Elements(between(block, _BEGIN, _END)), []
    while elements:
        tag, text = elements.begin()
        if not (invoke := _INVOKE.fullmatch(tag)) or text.strip():
            raise ValueError("something other than calls")
        name = invoke.group(1)
        found.append(checked_call(name, dict(elements.children("invoke", schemas.get(name, {}), 0))))
    return found


def _argument(key: str, schema: Any) -> tuple[Piece, ...]:
    return (f"{_MARK}<{key}>", *plain_value(key, schema, _MARK, ()), f"</{key}>")


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    arguments = one_by_one(arguments_of(name, parameters), _argument)
    return (f'{_MARK}<invoke name="{name}">', *arguments, f"{_MARK}</invoke>\n")


MINIMAX_M3 = ToolFormat(
    "minimax-m3",
    "MiniMax M3",
    (_MARK, "<tool_call>"),
    begins=(_BEGIN,),
    ends=(_END,),
    parse=_parse,
    tokens=(_MARK,),
    writing=CallWriting(_call, f"{_BEGIN}\n", _END, between=""),
)
