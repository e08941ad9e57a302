"""What an answer has to match, as a user says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from rushlight.errors import InvalidParameter
from rushlight.params import SamplingParams

Kind = Literal["json_schema", "regex", "grammar"]

# A response_format of each type holds its constraint under the key of the same name.
_KEYS: dict[str, Kind] = {"json_schema": "json_schema", "regex": "regex", "grammar": "grammar"}


class Constraint(NamedTuple):
    """What an answer has to match.

    Attributes:
        kind: which of the fields of `SamplingParams` says it.
        value: a JSON schema as a mapping, a regular expression or a grammar.
    """

    kind: Kind
    value: Any


def constraint_of(
    params: SamplingParams, response_format: Mapping[str, Any] | None = None
) -> Constraint | None:
    """The constraint that parameters or a response format ask for, None where neither does.

    Args:
        params: how to sample.
        response_format: as OpenAI's API has it, ``{"type": "text"}``, ``{"type": "json_object"}`` or
            ``{"type": "json_schema", "json_schema": {"schema": ...}}``; also ``{"type": "regex", "regex":
            ...}`` and ``{"type": "grammar", "grammar": ...}``.

    Raises:
        InvalidParameter: a response format that is none of these, or both ask for something.
    """
    fields: dict[Kind, Any] = {
        "json_schema": params.json_schema,
        "regex": params.regex,
        "grammar": params.grammar,
    }
    given = [Constraint(kind, value) for kind, value in fields.items() if value is not None]
    wanted = None if response_format is None else _of_format(response_format)
    if given and wanted:
        raise InvalidParameter(
            f"Both response_format and {given[0].kind} constrain the answer; give one of them."
        )
    return wanted or (given[0]._replace(value=_read(given[0].value, given[0].kind)) if given else None)


def _of_format(response_format: Mapping[str, Any]) -> Constraint | None:
    if not isinstance(response_format, Mapping):
        raise InvalidParameter(f"response_format is {response_format!r:.60}; it must be a mapping.")
    type = response_format.get("type")
    if not isinstance(type, str) or type not in {"text", "json_object", *_KEYS}:
        known = ", ".join(("text", "json_object", *_KEYS))
        raise InvalidParameter(f"The type of response_format is {type!r:.60}; it must be one of {known}.")
    if unknown := response_format.keys() - {"type", type}:
        raise InvalidParameter(
            f"response_format of type {type} has the key {min(map(str, unknown))!r:.60}, which is unknown."
        )
    if type == "text":
        return None
    if type == "json_object":
        return Constraint("json_schema", {"type": "object"})
    value = response_format.get(type)
    value = _schema_of(value) if type == "json_schema" else value
    # The same checks as of the parameters, sizes included.
    kind = _KEYS[type]
    if value is None:
        raise InvalidParameter(f"response_format of type {type} has no {type}.")
    of_kind = {name: value if name == kind else None for name in _KEYS}
    SamplingParams(json_schema=of_kind["json_schema"], regex=of_kind["regex"], grammar=of_kind["grammar"])
    return Constraint(kind, _read(value, kind))


def _schema_of(value: Any) -> Any:
    """The schema of OpenAI's json_schema; "strict" is always meant."""
    if not isinstance(value, Mapping) or "schema" not in value:
        raise InvalidParameter('json_schema of response_format must be a mapping with a "schema".')
    if unknown := value.keys() - {"name", "description", "schema", "strict"}:
        raise InvalidParameter(
            f"json_schema of response_format has the key {min(map(str, unknown))!r:.60}, which is unknown."
        )
    return value["schema"]


def _read(value: Any, kind: Kind) -> Any:
    """The constraint, a schema that is text as a mapping."""
    return json.loads(value) if kind == "json_schema" and isinstance(value, str) else value
