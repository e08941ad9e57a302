"""How the calls of a format are written, piece by piece, for grammars of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Union

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|[:,] ?|[^"\[\]{}:,]+')


class Json(NamedTuple):
    """A JSON value that a schema allows."""

    schema: Any


class Raw(NamedTuple):
    """Any text up to and with `end`, without some other texts."""

    end: str
    without: tuple[str, ...] = ()


class Pattern(NamedTuple):
    """A text that a regular expression matches."""

    regex: str


class Choice(NamedTuple):
    """One of several ways to go on."""

    options: tuple[tuple[Piece, ...], ...]


class Maybe(NamedTuple):
    """Pieces that may be left out together."""

    pieces: tuple[Piece, ...]


class Repeat(NamedTuple):
    """Pieces any number of times, none too, with a text between them."""

    pieces: tuple[Piece, ...]
    separator: str


Piece = Union[str, Json, Raw, Pattern, Choice, Maybe, Repeat]  # noqa: UP007  # names itself
"""A literal text, in which marks may be special tokens, or one of the others."""


class CallWriting(NamedTuple):
    """How blocks of calls are written.

    Attributes:
        call: the pieces of one call, of a function's name and the schema of its arguments.
        begin, end: what stands around the calls of a block.
        between: what stands between calls of a block; None: a block holds one.
        blocks: what stands between blocks; None: there is but one.
    """

    call: Callable[[str, Mapping[str, Any]], tuple[Piece, ...]]
    begin: str = ""
    end: str = ""
    between: str | None = None
    blocks: str | None = None


def json_object_call(name_key: str, arguments_key: str) -> Callable[..., tuple[Piece, ...]]:
    """Calls that are JSON objects of a name and arguments, under these keys."""

    def call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
        head = f'{{"{name_key}": {json.dumps(name)}, "{arguments_key}": '
        return (*json_literals(head), Json(parameters), "}")

    return call


def json_literals(text: str) -> tuple[str, ...]:
    """A text of JSON in its smallest parts, so that a grammar can tell it from another such text late."""
    return tuple(_JSON_TOKEN.findall(text))
