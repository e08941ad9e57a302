"""Describe a Python function as a tool, from its signature and docstring."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from rushlight.errors import InvalidParameter

_SCALARS: dict[type, str] = {
    int: "integer",
    float: "number",
    str: "string",
    bool: "boolean",
    type(None): "null",
}
_CONTAINERS: dict[type, str] = {list: "array", tuple: "array", dict: "object"}
_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Examples?|Note):[ \t]*$", re.MULTILINE)
_ARGUMENT = re.compile(r"^(\s*)\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s*(.*)$")


def tool_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The JSON schema of a function, as chat templates take it for a tool.

    Follows ``transformers.utils.get_json_schema`` for the types of JSON, lists, dicts, ``Literal`` and
    unions, with a docstring in Google style. What a function returns is left out: few templates read it.

    Raises:
        InvalidParameter: the docstring, an argument's description or its type is missing or not understood.
    """
    name = getattr(function, "__name__", type(function).__name__)
    doc = inspect.getdoc(function)
    if not doc:
        raise InvalidParameter(
            f"Tool {name} has no docstring to describe it by; give it one, or pass a schema."
        )
    description, *sections = _SECTION.split(doc)
    parts = dict(zip(sections[::2], sections[1::2], strict=True))
    described = _arguments(parts.get("Args", ""))
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError) as error:
        raise InvalidParameter(f"The type hints of tool {name} cannot be read: {error}") from error
    properties, required = {}, []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in hints or parameter.name not in described:
            missing = "type hint" if parameter.name not in hints else "description in the docstring"
            raise InvalidParameter(f"Argument {parameter.name} of tool {name} has no {missing}.")
        schema = _schema(hints[parameter.name], f"argument {parameter.name} of tool {name}")
        properties[parameter.name] = {**schema, "description": described[parameter.name]}
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    parameters = {"type": "object", "properties": properties} | ({"required": required} if required else {})
    return {
        "type": "function",
        "function": {"name": name, "description": description.strip(), "parameters": parameters},
    }


def _arguments(section: str) -> dict[str, str]:
    """The descriptions in a docstring's ``Args``; further lines of one are indented more than its name."""
    found: dict[str, list[str]] = {}
    indent, current = None, ""
    for line in filter(str.strip, section.splitlines()):
        match = _ARGUMENT.match(line)
        if match and (indent is None or len(match[1]) <= indent):
            indent, current = len(match[1]), match[2]
            found[current] = [match[3].strip()]
        elif current:
            found[current].append(line.strip())
    return {name: " ".join(filter(None, lines)) for name, lines in found.items()}


def _schema(hint: Any, where: str) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return {}
    if origin is None and isinstance(hint, type) and (hint in _SCALARS or hint in _CONTAINERS):
        return {"type": _SCALARS.get(hint) or _CONTAINERS[hint]}
    if origin is Literal and all(type(value) in _SCALARS for value in arguments):
        kinds = list(dict.fromkeys(_SCALARS[type(value)] for value in arguments))
        return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0], where)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], where)}
    if origin in (Union, types.UnionType):
        return _union(arguments, where)
    raise InvalidParameter(
        f"The type {hint!r} of {where} has no JSON schema; pass a schema instead of the function."
    )


def _union(arguments: tuple[Any, ...], where: str) -> dict[str, Any]:
    options = [_schema(argument, where) for argument in arguments if argument is not type(None)]
    nullable = {"nullable": True} if type(None) in arguments else {}
    if len(options) == 1:
        return options[0] | nullable
    if all(option.keys() == {"type"} and isinstance(option["type"], str) for option in options):
        kinds = sorted({option["type"] for option in options})
        return {"type": kinds[0] if len(kinds) == 1 else kinds} | nullable
    return {"anyOf": options} | nullable
