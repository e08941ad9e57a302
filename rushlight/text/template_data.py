"""What a template gets to see: plain data only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from inspect import isfunction, ismethod
from typing import Any

import numpy as np

from rushlight.errors import InvalidParameter
from rushlight.text.tool_schema import tool_schema

# Names under which a message's reasoning is passed; templates read the first, gpt-oss's the second.
_REASONING = ("reasoning_content", "thinking", "reasoning")


def plain(value: Any) -> Any:
    """The value rebuilt from the types of JSON; anything else becomes ``<its type>``.

    Templates come from strangers, and objects have methods; transformers does the same
    (``transformers.utils.chat_template_utils``).
    """
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, str):  # an enum, for one: its methods stay behind
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if callable(getattr(value, "model_dump", None)):  # pydantic
        return plain(value.model_dump())
    return f"<{type(value).__name__}>"


def plain_messages(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """The messages as plain dicts, with a message's reasoning under each name that templates read.

    Raises:
        InvalidParameter: one is no dict with a role.
    """
    found = []
    for i, message in enumerate(messages):
        data = plain(message)
        if not isinstance(data, dict) or not isinstance(data.get("role"), str):
            raise InvalidParameter(
                f"Message {i} is {message!r:.80}; a dict with a role and content was expected, such as "
                '{"role": "user", "content": "Hi"}.'
            )
        reasoning = next((data[name] for name in _REASONING if data.get(name) is not None), None)
        if reasoning is not None:
            data = {"thinking": reasoning, **data, "reasoning_content": reasoning}
        found.append(data)
    return found


def plain_tools(tools: Sequence[Any] | None) -> list[Any] | None:
    """The tools as plain dicts; functions are described by `tool_schema`.

    Raises:
        InvalidParameter: one is neither a dict nor a function that can be described.
    """
    if tools is None:
        return None
    found = [tool_schema(tool) if isfunction(tool) or ismethod(tool) else plain(tool) for tool in tools]
    for i, tool in enumerate(found):
        if not isinstance(tool, dict):
            raise InvalidParameter(
                f"Tool {i} is {tools[i]!r:.80}; a dict with the JSON schema of a function was expected."
            )
    return found
