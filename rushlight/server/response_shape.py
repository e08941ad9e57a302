"""The response object of the Responses API: what is known of it before and after it is written."""

from __future__ import annotations

import time
from typing import Any

from rushlight.completion import Completion, Usage
from rushlight.server.shapes import new_id


def response_head(model: str, body: dict[str, Any]) -> dict[str, Any]:
    """What is known of a response before it is written."""
    return {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": model,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {"effort": body.get("reasoning", {}).get("effort"), "summary": None},
        "store": False,
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text", {"format": {"type": "text"}}),
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_logprobs": body.get("top_logprobs", 0),
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": None,
        "metadata": {},
    }


def response_end(completion: Completion, n_dropped: int) -> dict[str, Any]:
    """What is known of a response when it is written, its items left out."""
    cut = completion.finish_reason == "length"
    return {
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "usage": _usage(completion.usage, n_dropped),
        "seed": completion.seed,
    }


def _usage(usage: Usage, n_dropped: int) -> dict[str, Any]:
    dropped = {"truncated_tokens": n_dropped} if n_dropped else {}
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, **dropped},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
