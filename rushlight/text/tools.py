"""The functions behind tools: their names and the schemas of their arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rushlight.errors import InvalidParameter
from rushlight.text.template_data import plain_tools


def functions_of(tools: Sequence[Any] | None) -> dict[str, Mapping[str, Any]]:
    """The schema of the arguments of each function, by its name.

    An argument that is not declared is refused where a function does not say otherwise. OpenAPI's "nullable",
    which `rushlight.text.tool_schema` writes as transformers does, becomes a type of JSON schema.

    Args:
        tools: as `LLM.chat` takes them.

    Raises:
        InvalidParameter: a tool is no function with a name and a schema, or two have the same name.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for i, tool in enumerate(plain_tools(tools) or ()):
        function = tool.get("function", tool)
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(name, str) or not name:
            raise InvalidParameter(f"Tool {i} is no function with a name, so no call of it can be demanded.")
        if name in found:
            raise InvalidParameter(f"Two tools have the name {name!r:.60}; each must have its own.")
        parameters = function.get("parameters") or {}
        if not isinstance(parameters, Mapping):
            raise InvalidParameter(f"The parameters of tool {name} are no JSON schema.")
        closed = {"type": "object", "properties": {}, **parameters}
        if (
            not {"additionalProperties", "patternProperties", "anyOf", "oneOf", "allOf", "$ref"}
            & closed.keys()
        ):
            closed["additionalProperties"] = False
        found[name] = _without_nullable(closed)
    return found


def _without_nullable(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_nullable(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    rest = {key: _without_nullable(value) for key, value in schema.items()}
    nullable = rest.get("nullable")
    if not isinstance(nullable, bool):  # a bool is the keyword, a schema an argument of that name
        return rest
    del rest["nullable"]
    return {"anyOf": [rest, {"type": "null"}]} if nullable else rest
