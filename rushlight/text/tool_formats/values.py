"""Read values that are written much like JSON, but not quite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.tool_formats.base import read_json

_CONSTANTS = {"None": None, "True": True, "False": False}
_KEY = re.compile(r"\s*([^:,{}\[\]]+?)\s*:")
_BARE = re.compile(r"[^:,{}\[\]()]+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
_QUOTING = "\\'\""
_MAX_DEPTH = 64


class Values:
    """Reads values from a text, one after the other; what is wrong raises ValueError.

    Objects, lists and numbers are those of JSON. Keys may be bare words, and so may strings be. The constants
    may be Python's too.

    Args:
        text: to read from.
        place: where to begin.
        quotes: marks between which a string stands.
        escapes: whether backslashes escape in strings, as in Python.
    """

    def __init__(
        self, text: str, place: int = 0, quotes: tuple[str, ...] = ("'", '"'), escapes: bool = True
    ) -> None:
        self._text = text
        self._place = place
        self._quotes = quotes
        self._escapes = escapes

    def value(self, depth: int = 0) -> Any:
        """The value that comes next."""
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        if self.take("{"):
            return self._object(depth)
        if self.take("["):
            return self._list(depth)
        if (string := self._string()) is not None:
            return string
        text = self.match(_BARE).group().strip()
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        try:
            return read_json(text)
        except ValueError:
            return text

    def take(self, text: str) -> bool:
        """Step over white space and a text, if that comes next."""
        place = self._place
        while self._text[place : place + 1].isspace():
            place += 1
        if not self._text.startswith(text, place):
            return False
        self._place = place + len(text)
        return True

    def expect(self, text: str) -> None:
        """Step over white space and a text."""
        if not self.take(text):
            raise ValueError(f"{text} was expected")

    def match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Step over what comes next."""
        match = pattern.match(self._text, self._place)
        if match is None:
            raise ValueError("something else was expected")
        self._place = match.end()
        return match

    def end(self) -> None:
        """Check that nothing follows."""
        if self._text[self._place :].strip():
            raise ValueError("something follows")

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.take("}"):
            if found:
                self.expect(",")
            key = self._string()
            if key is None:
                key = self.match(_KEY).group(1)
            else:
                self.expect(":")
            found[key] = self.value(depth + 1)
        return found

    def _list(self, depth: int) -> list[Any]:
        found: list[Any] = []
        while not self.take("]"):
            if found:
                self.expect(",")
            found.append(self.value(depth + 1))
        return found

    def _string(self) -> str | None:
        """The string that comes next, None if something else does."""
        quote = next((quote for quote in self._quotes if self.take(quote)), None)
        if quote is None:
            return None
        end = self._text.find(quote, self._place)
        while self._escapes and end >= 0 and self._is_escaped(end):
            end = self._text.find(quote, end + 1)
        if end < 0:
            raise ValueError("a string does not end")
        text, self._place = self._text[self._place : end], end + len(quote)
        return _ESCAPE.sub(_unescape, text) if self._escapes else text

    def _is_escaped(self, place: int) -> bool:
        n = 0
        while place - n > self._place and self._text[place - n - 1] == "\\":
            n += 1
        return n % 2 == 1


def _unescape(match: re.Match[str]) -> str:
    name = match.group(1)
    if len(name) > 1:
        return chr(int(name[1:], 16))
    return name if name in _QUOTING else _ESCAPED.get(name, match.group())


def typed_value(text: str, schema: Mapping[str, Any] | None) -> Any:
    """An argument that is written plainly: a string where the schema says so, else JSON if it is any.

    Some models write objects and lists as Python does.
    """
    types = (schema or {}).get("type", "string" if schema is None else None)
    stripped = text.strip()
    if types in ("string", ["string"]):
        return text
    if types == "boolean" and stripped in _CONSTANTS:
        return _CONSTANTS[stripped]
    try:
        return read_json(stripped)
    except (ValueError, RecursionError):
        return _python_value(stripped) if stripped.startswith(("{", "[")) else text


def _python_value(text: str) -> Any:
    values = Values(text)
    try:
        value = values.value()
        values.end()
    except ValueError:
        return text
    return value
