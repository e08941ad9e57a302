"""Messages of OpenAI's API as the messages that chat templates read."""

from __future__ import annotations

from typing import Any

from rushlight.llm import LLM
from rushlight.prompts import Message

_PART_SEPARATOR = "\n"  # as vLLM and llama.cpp join the parts of a message


def template_messages(llm: LLM, messages: list[dict[str, Any]]) -> list[Message]:
    """The messages, their parts joined; a developer is the system where the template knows none."""
    knows_developer = "developer" in llm.chat_template.source
    return [_message(message, knows_developer) for message in messages]


def text_of(content: str | list[dict[str, Any]] | None) -> str | None:
    """The text of a message's content."""
    if content is None or isinstance(content, str):
        return content
    return _PART_SEPARATOR.join(part.get("text", part.get("refusal", "")) for part in content)


def _message(message: dict[str, Any], knows_developer: bool) -> Message:
    role = message["role"]
    content = text_of(message.get("content"))
    given: dict[str, Any] = {
        key: message[key] for key in ("name", "tool_calls", "tool_call_id") if key in message
    }
    # Many templates take no null.
    given["content"] = message.get("refusal", "") if content is None else content
    reasoning = message.get("reasoning_content", message.get("reasoning"))
    if reasoning is not None:
        given["reasoning"] = reasoning
    return {"role": "system" if role == "developer" and not knows_developer else role, **given}
