"""Tools for models whose chat template shows none: a message tells of them, and how to call them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rushlight.text.template_data import plain_tools
from rushlight.text.tool_formats import ToolFormat
from rushlight.text.tool_formats.json_blocks import HERMES
from rushlight.text.tool_formats.writing import CallWriting, Json

STAND_IN = HERMES
"""How calls are written where the template knows no format either."""

_TOOLS = re.compile(r"\btools\b")
_INTRODUCTION = """\
You may call these functions, each described by a JSON schema:
{tools}
To call one, write nothing but this, with its name and its arguments:
{example}"""
_ARGUMENTS = {"type": "object", "properties": {"ARGUMENT": {"type": "integer"}}, "required": ["ARGUMENT"]}


def shows_tools(template: str) -> bool:
    """Whether a chat template reads the tools of a conversation.

    Args:
        template: its source.
    """
    return _TOOLS.search(template) is not None


def introduction(tools: Sequence[Any], form: ToolFormat) -> str:
    """What tells a model of tools.

    Args:
        tools: as templates take them.
        form: how it is to write calls.
    """
    assert form.writing is not None, "every format has one"
    lines = (json.dumps(tool.get("function", tool), ensure_ascii=False) for tool in plain_tools(tools) or ())
    return _INTRODUCTION.format(tools="\n".join(lines), example=_example(form.writing))


def with_introduction(messages: Sequence[Mapping[str, Any]], text: str, role: str) -> list[dict[str, Any]]:
    """The messages with a text at the end of the system message, or at the beginning of the first of a user.

    Args:
        messages: of the conversation.
        text: what is added.
        role: "system", or "user" for templates that know no system message.
    """
    found = [dict(message) for message in messages]
    place = next((i for i, message in enumerate(found) if message.get("role") == role), None)
    if place is None:
        return [{"role": role, "content": text}, *found]
    content = found[place].get("content")
    if isinstance(content, list | tuple):
        part = {"type": "text", "text": f"{text}\n\n" if role == "user" else f"\n\n{text}"}
        found[place]["content"] = [part, *content] if role == "user" else [*content, part]
    else:
        parts = (text, content) if role == "user" else (content, text)
        found[place]["content"] = "\n\n".join(filter(None, parts))
    return found


def with_written_calls(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages with calls and their results as text, for templates that know neither."""
    found: list[dict[str, Any]] = []
    for role, group in groupby(messages, key=lambda message: message.get("role")):
        each = list(group)
        if role == "tool":
            results = (f"<tool_response>\n{_text(message)}\n</tool_response>" for message in each)
            found.append({"role": "user", "content": "\n".join(results)})
        else:
            found += [_with_text(message) if message.get("tool_calls") else dict(message) for message in each]
    return found


def _with_text(message: Mapping[str, Any]) -> dict[str, Any]:
    written = [_text(message), *map(_written, message["tool_calls"])]
    rest = {key: value for key, value in message.items() if key != "tool_calls"}
    return rest | {"content": "\n".join(filter(None, written))}


def _written(call: Any) -> str:
    function = call.get("function", call) if isinstance(call, Mapping) else {}
    body = {"name": function.get("name"), "arguments": function.get("arguments", {})}
    return f"<tool_call>\n{json.dumps(body, ensure_ascii=False)}\n</tool_call>"


def _example(writing: CallWriting) -> str:
    pieces = map(_shown, writing.call("NAME", _ARGUMENTS))
    return f"{writing.begin}{''.join(pieces)}{writing.end}"


def _shown(piece: Any) -> str:
    if isinstance(piece, Json):
        return '{"ARGUMENT": VALUE}' if piece.schema is _ARGUMENTS else "VALUE"
    return piece if isinstance(piece, str) else ""


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list | tuple):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return "" if content is None else str(content)
