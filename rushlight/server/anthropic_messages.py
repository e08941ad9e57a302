"""Messages of Anthropic's API as the messages that chat templates read."""

from __future__ import annotations

import json
from typing import Any

from rushlight.prompts import Message
from rushlight.server.conversation import text_of
from rushlight.server.errors import bad_field


def anthropic_messages(body: dict[str, Any]) -> list[Message]:
    """The messages of a request, its system message first.

    Raises:
        ApiError: the last message is the assistant's, which no template can go on with.
    """
    messages = body["messages"]
    if messages[-1]["role"] == "assistant":
        raise bad_field(
            "messages",
            "The last message is the assistant's; answers cannot be begun here, end with the user's.",
        )
    found: list[Message] = []
    if system := text_of(body.get("system")):
        found.append({"role": "system", "content": system})
    for message in messages:
        blocks = message["content"]
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        found += _user(blocks) if message["role"] == "user" else [_assistant(blocks)]
    return found


def anthropic_tools(tools: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """The tools in OpenAI's shape, which templates read."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool["name"],
                "description": tool.get("description", ""),
                "parameters": tool["input_schema"],
            },
        }
        for tool in tools or ()
    ]


def _user(blocks: list[dict[str, Any]]) -> list[Message]:
    """What tools gave back are messages of their own, before what the user says."""
    found: list[Message] = [
        {
            "role": "tool",
            "tool_call_id": block["tool_use_id"],
            "content": text_of(block.get("content")) or "",
        }
        for block in blocks
        if block["type"] == "tool_result"
    ]
    texts = [block for block in blocks if block["type"] == "text"]
    if texts or not found:
        found.append({"role": "user", "content": text_of(texts)})
    return found


def _assistant(blocks: list[dict[str, Any]]) -> Message:
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {
                "name": block["name"],
                "arguments": json.dumps(block["input"], ensure_ascii=False),
            },
        }
        for block in blocks
        if block["type"] == "tool_use"
    ]
    thoughts = [block["thinking"] for block in blocks if block["type"] == "thinking"]
    return {
        "role": "assistant",
        "content": text_of([block for block in blocks if block["type"] == "text"]),
        **({"tool_calls": calls} if calls else {}),
        **({"reasoning": "\n".join(thoughts)} if thoughts else {}),
    }
