"""What an answer has to match, of all the fields that can say so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rushlight.server.errors import ApiError, bad_field

# For each field the name of `SamplingParams` that means the same.
_FIELDS = {
    "json_schema": "json_schema",
    "grammar": "grammar",
    "regex": "regex",
    "guided_json": "json_schema",
    "guided_grammar": "grammar",
    "guided_regex": "regex",
    "guided_choice": "choice",
}
_SIZED = (*_FIELDS, "structured_outputs", "response_format", "text", "output_config")
_STRUCTURED = {"json": "json_schema", "grammar": "grammar", "regex": "regex", "choice": "choice"}


def constraint_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The constraint among the fields of a request, as an argument of `SamplingParams`; empty without one.

    Raises:
        ApiError: several fields give one.
    """
    given = {name: (kind, body[name]) for name, kind in _FIELDS.items() if name in body}
    for name, value in body.get("structured_outputs", {}).items():
        given[f"structured_outputs.{name}"] = (_STRUCTURED[name], value)
    if len(given) > 1:
        raise ApiError(400, f"{' and '.join(given)} are given; at most one can constrain an answer.")
    return dict(_argument(*each) for each in given.values())


def check_sizes(most: int, body: Mapping[str, Any], tools: Iterable[Mapping[str, Any]]) -> None:
    """Refuse schemas, expressions and grammars that are too large.

    Args:
        most: bytes of each.
        body: of the request.
        tools: in OpenAI's shape.

    Raises:
        ApiError: one is larger.
    """
    sized = {name: body[name] for name in _SIZED if name in body}
    for tool in tools:
        sized[f"tool {tool['function']['name']:.60}"] = tool["function"].get("parameters", {})
    for name, value in sized.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if (n_bytes := len(text.encode())) > most:
            raise bad_field(
                name, f"{name} has {n_bytes} bytes; this server takes at most {most}.", "too_large"
            )


def _argument(kind: str, value: Any) -> tuple[str, Any]:
    if kind == "choice":
        return "regex", "|".join(f"({re.escape(choice)})" for choice in value)
    return kind, value
