"""Which keywords of JSON schemas are held; all others are refused by name.

llguidance refuses those that it knows of and does not hold, and passes over those it has never heard of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rushlight.errors import InvalidParameter

# In the order of https://json-schema.org/draft/2020-12.
HELD = frozenset((
    "$ref", "allOf", "anyOf", "oneOf", "prefixItems", "items", "properties", "patternProperties",
    "additionalProperties", "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
    "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "maxProperties",
    "minProperties", "required", "format",
))  # fmt: skip
# These say nothing about what is valid. `discriminator` (OpenAPI) only helps to read a oneOf.
ANNOTATIONS = frozenset((
    "$schema", "$id", "id", "$anchor", "$comment", "$defs", "definitions", "title", "description", "default",
    "deprecated", "readOnly", "writeOnly", "examples", "example", "contentEncoding", "contentMediaType",
    "contentSchema", "discriminator",
))  # fmt: skip
_ONE = ("items", "additionalProperties")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("$defs", "definitions", "properties", "patternProperties")
_MAX_DEPTH = 100


def check_schema(schema: Any, where: str = "the JSON schema") -> None:
    """Check that every keyword of a schema is held or says nothing.

    Args:
        schema: a mapping or a bool.
        where: what it is, for errors.

    Raises:
        InvalidParameter: another keyword, which is named, or something that is no schema.
    """
    _check(schema, "#", where, 0)


def _check(schema: Any, path: str, where: str, depth: int) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise InvalidParameter(f"At {path} of {where} stands {schema!r:.60}; a schema was expected.")
    if depth > _MAX_DEPTH:
        raise InvalidParameter(f"At {path[:60]} {where} is nested too deeply.")
    for key, value in schema.items():
        if key not in HELD and key not in ANNOTATIONS:
            raise InvalidParameter(
                f"The keyword {key!r:.60} at {path} of {where} is not supported; leave it out, and check "
                "the answer for it."
            )
        if key == "items" and isinstance(value, list | tuple):
            raise InvalidParameter(f"At {path}/items of {where} stands a list; write it as prefixItems.")
        if key.startswith("exclusive") and isinstance(value, bool):
            raise InvalidParameter(f"{key} at {path} of {where} is {value}; a number was expected.")
        if key in _LISTS:
            if not isinstance(value, list | tuple):
                raise InvalidParameter(f"At {path}/{key} of {where} a list of schemas was expected.")
            for i, each in enumerate(value):
                _check(each, f"{path}/{key}/{i}", where, depth + 1)
        elif key in _MAPS:
            if not isinstance(value, Mapping):
                raise InvalidParameter(f"At {path}/{key} of {where} a mapping of schemas was expected.")
            for name, each in value.items():
                _check(each, f"{path}/{key}/{name}", where, depth + 1)
        elif key in _ONE:
            _check(value, f"{path}/{key}", where, depth + 1)
