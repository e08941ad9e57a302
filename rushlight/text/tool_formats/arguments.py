"""Arguments that are written one by one, not as one JSON object, for grammars of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rushlight.errors import InvalidParameter
from rushlight.text.tool_formats.writing import Choice, Json, Maybe, Piece, Raw

Pieces = tuple[Piece, ...]

# Of strings that are written as they are, without quotes, nothing else can be held.
_HELD_OF_STRINGS = frozenset((
    "type", "enum", "const", "title", "description", "default", "examples", "deprecated", "$defs",
    "definitions",
))  # fmt: skip
_HELD_OF_OBJECTS = frozenset((
    "type", "properties", "required", "additionalProperties", "title", "description", "default", "examples",
    "deprecated", "$defs", "definitions", "$schema", "$id", "$comment",
))  # fmt: skip


def arguments_of(name: str, parameters: Mapping[str, Any]) -> list[tuple[str, Any, bool]]:
    """The arguments that a function's schema declares: name, schema, and whether it must be given.

    Raises:
        InvalidParameter: a keyword that says more than that about all arguments together.
    """
    if other := parameters.keys() - _HELD_OF_OBJECTS:
        raise InvalidParameter(
            f"The keyword {min(other)!r} of the parameters of tool {name} is not supported with this model, "
            "which writes arguments one by one."
        )
    defs = {key: parameters[key] for key in ("$defs", "definitions") if key in parameters}
    required = parameters.get("required", ())
    return [
        (key, {**defs, **schema} if isinstance(schema, Mapping) else schema, key in required)
        for key, schema in parameters.get("properties", {}).items()
    ]


def plain_value(key: str, schema: Any, end: str, without: tuple[str, ...], before_end: str = "") -> Pieces:
    """A value up to and with its end: strings as they are, all else as JSON.

    Args:
        key: of the argument.
        schema: of the argument.
        end: what stands after it.
        without: what a string must not hold beside its end.
        before_end: what stands before the end, and may before that of a string.

    Raises:
        InvalidParameter: a string with a keyword that cannot be held without quotes.
    """
    if not isinstance(schema, Mapping) or schema.get("type") not in ("string", ["string"]):
        return (Json(schema), before_end + end)
    return string_value(key, schema, end, without, before_end)


def string_value(
    key: str, schema: Mapping[str, Any], end: str, without: tuple[str, ...], before_end: str = ""
) -> Pieces:
    """A string without quotes; see `plain_value`."""
    if other := schema.keys() - _HELD_OF_STRINGS:
        raise InvalidParameter(
            f"The keyword {min(other)!r} of the argument {key} is not supported with this model, which "
            "writes strings without quotes."
        )
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is None:
        return (Raw(end, without),)
    return (Choice(tuple((f"{value}{before_end}{end}",) for value in values)),)


def one_by_one(arguments: Sequence[tuple[str, Any, bool]], written: Callable[[str, Any], Pieces]) -> Pieces:
    """Arguments one after the other, in their order; what need not be given may be left out."""
    pieces: list[Piece] = []
    for key, schema, required in arguments:
        pieces += written(key, schema) if required else (Maybe(written(key, schema)),)
    return tuple(pieces)


def separated(
    arguments: Sequence[tuple[str, Any, bool]], written: Callable[[str, Any], Pieces], separator: str
) -> Pieces:
    """As `one_by_one`, with a separator between those that are given."""
    after: Pieces = ()  # what follows where something was written before
    first: Pieces = ()  # what follows where nothing was
    for key, schema, required in reversed(arguments):
        this = written(key, schema)
        first = (*this, *after) if required else (Choice(((*this, *after), first)),)
        after = (separator, *this, *after) if required else (Maybe((separator, *this)), *after)
    return first
