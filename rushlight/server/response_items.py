"""Items of the Responses API: those of a request as messages, and those of an answer."""

from __future__ import annotations

from typing import Any

from rushlight.server.blocks import Block
from rushlight.server.conversation import text_of
from rushlight.server.shapes import new_id

_PREFIXES = {"text": "msg_", "reasoning": "rs_", "call": "fc_"}


def item_messages(items: str | list[dict[str, Any]], instructions: str | None) -> list[dict[str, Any]]:
    """The messages of a request's input.

    What the assistant thought, said and called is one message, however many items tell of it.
    """
    found: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(items, str):
        return [*found, {"role": "user", "content": items}]
    for item in items:
        if item["type"] == "function_call_output":
            output = text_of(item["output"]) or ""
            found.append({"role": "tool", "tool_call_id": item["call_id"], "content": output})
        elif item["type"] == "message" and item["role"] != "assistant":
            found.append({"role": item["role"], "content": text_of(item["content"])})
        else:
            _add_to_assistant(found, item)
    return found


def item_json(block: Block, item_id: str, status: str, logprobs: list[Any] | None = None) -> dict[str, Any]:
    """The item that a block of an answer is."""
    if block.kind == "call":
        return {
            "id": item_id,
            "type": "function_call",
            "call_id": block.call_id,
            "name": block.name,
            "arguments": block.content,
            "status": status,
        }
    content = [part_json(block, logprobs)] if status != "in_progress" else []
    if block.kind == "reasoning":
        return {"id": item_id, "type": "reasoning", "summary": [], "content": content, "status": status}
    return {"id": item_id, "type": "message", "role": "assistant", "content": content, "status": status}


def part_json(block: Block, logprobs: list[Any] | None = None) -> dict[str, Any]:
    """The one part of a message or of thoughts."""
    if block.kind == "reasoning":
        return {"type": "reasoning_text", "text": block.content}
    return {"type": "output_text", "text": block.content, "annotations": [], "logprobs": logprobs or []}


def item_id(block: Block) -> str:
    """A new id for the item of a block."""
    return new_id(_PREFIXES[block.kind])


def _add_to_assistant(found: list[dict[str, Any]], item: dict[str, Any]) -> None:
    """Take an item into the assistant's message, the last one or a new one."""
    last = found[-1] if found else {}
    says = item["type"] == "message"
    starts = last.get("role") != "assistant" or (item["type"] != "function_call" and "tool_calls" in last)
    if starts or (says and last["content"]):
        last = {"role": "assistant", "content": ""}
        found.append(last)
    if says:
        last["content"] = text_of(item["content"])
    elif item["type"] == "reasoning":
        parts = item.get("content") or item.get("summary") or []
        last["reasoning"] = last.get("reasoning", "") + "\n".join(part["text"] for part in parts)
    else:
        function = {"name": item["name"], "arguments": item["arguments"]}
        call = {"id": item["call_id"], "type": "function", "function": function}
        last.setdefault("tool_calls", []).append(call)
