"""``/v1/chat/completions``: OpenAI's chats."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rushlight.completion import Chunk, Completion
from rushlight.server.answers import Answers, Job
from rushlight.server.conversation import template_messages
from rushlight.server.endpoint import told
from rushlight.server.errors import bad_field
from rushlight.server.respond import json_response
from rushlight.server.sampling import check_choices, params_of
from rushlight.server.service import Service
from rushlight.server.shapes import chat_logprobs, new_id, timings_json, total_usage, usage_json
from rushlight.server.sse import DONE, EventStream, event, until_disconnect
from rushlight.server.truncation import fit
from rushlight.text.answer_parts import ToolDelta


async def chat_completions(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """Answer a conversation."""
    model = service.model_name(body.get("model"))
    job, n_dropped = await fit(service, _job(service, body), body.get("truncation"))
    if not body.get("stream"):
        completions = await until_disconnect(request.receive, service.client.complete(job))
        service.note(request, completions)
        return json_response(_whole(service, model, completions, n_dropped))
    answers = await service.client.start(job)
    with_usage = bool(body.get("stream_options", {}).get("include_usage"))
    stream = _ChatStream(service, request, model, with_usage, n_dropped)
    return EventStream(stream.events(answers), lambda: service.client.end(answers))


def _job(service: Service, body: dict[str, Any]) -> Job:
    n = check_choices(body.get("n", 1), service.options.max_choices)
    if body.get("top_logprobs") and not body.get("logprobs"):
        raise bad_field("top_logprobs", "top_logprobs is given without logprobs, which must be true then.")
    logprobs = body.get("top_logprobs", 0) if body.get("logprobs") else None
    max_tokens = body.get("max_completion_tokens", body.get("max_tokens"))
    variables = dict(body.get("chat_template_kwargs", {}))
    if "reasoning_effort" in body:
        variables.setdefault("reasoning_effort", body["reasoning_effort"])
    service.check_sizes(body, body.get("tools", ()))
    return Job(
        prompts=[template_messages(service.llm, body["messages"])] * n,
        params=params_of(body, n, max_tokens=max_tokens, logprobs=logprobs),
        tools=body.get("tools") or None,
        tool_choice=body.get("tool_choice"),
        parallel_tool_calls=body.get("parallel_tool_calls", True),
        response_format=body.get("response_format"),
        chat_template_kwargs=variables,
        end_only=not body.get("stream"),
        seconds=service.seconds(body.get("timeout")),
    )


def _whole(service: Service, model: str, completions: list[Completion], n_dropped: int) -> dict[str, Any]:
    return {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": service.fingerprint,
        "choices": [_choice(service, i, completion) for i, completion in enumerate(completions)],
        "usage": usage_json(total_usage([completion.usage for completion in completions]), n_dropped),
        "timings": timings_json(completions[0].timings),
    }


def _choice(service: Service, i: int, completion: Completion) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": completion.text if completion.text or not completion.tool_calls else None,
        "refusal": None,
    }
    if completion.reasoning:
        message["reasoning_content"] = completion.reasoning
    if completion.tool_calls:
        message["tool_calls"] = completion.tool_calls
    logprobs = completion.logprobs
    return {
        "index": i,
        "message": message,
        "logprobs": None if logprobs is None else chat_logprobs(logprobs, service.llm.tokenizer),
        "finish_reason": completion.finish_reason,
        "seed": completion.seed,
    }


class _ChatStream:
    """Writes the chunks of one request.

    Args:
        service: of the request.
        request: to which the log's line belongs.
        model: the name that the client used.
        with_usage: whether the client wants the usage.
        n_dropped: tokens that were left out of the conversation.
    """

    def __init__(
        self, service: Service, request: Request, model: str, with_usage: bool, n_dropped: int
    ) -> None:
        self._service = service
        self._request = request
        self._with_usage = with_usage
        self._n_dropped = n_dropped
        self._head = {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": service.fingerprint,
        }

    async def events(self, answers: Answers) -> AsyncIterator[bytes]:
        """The events of the answers, and the end or an error."""
        done: dict[int, Completion] = {}
        try:
            for i in range(len(answers.job.prompts)):
                yield self._event(i, {"role": "assistant", "content": "", "refusal": None})
            async for i, item in answers:
                if isinstance(item, Completion):
                    done[i] = item
                    yield self._event(i, {}, item)
                elif (delta := self._delta(item)) or item.logprobs:
                    yield self._event(i, delta, item)
            completions = [done[i] for i in sorted(done)]
            self._service.note(self._request, completions)
            if self._with_usage:
                usage = usage_json(total_usage([each.usage for each in completions]), self._n_dropped)
                timings = timings_json(completions[0].timings)
                yield event({**self._head, "choices": [], "usage": usage, "timings": timings})
            yield DONE
        except Exception as error:
            yield event(told(error, self._request).openai())

    def _event(self, i: int, delta: dict[str, Any], item: Chunk | Completion | None = None) -> bytes:
        choice: dict[str, Any] = {"index": i, "delta": delta, "logprobs": None, "finish_reason": None}
        if isinstance(item, Completion):
            choice.update(finish_reason=item.finish_reason, seed=item.seed)
        elif item is not None and item.logprobs is not None:
            choice["logprobs"] = chat_logprobs(item.logprobs, self._service.llm.tokenizer)
        usage = {"usage": None} if self._with_usage else {}
        return event({**self._head, "choices": [choice], **usage})

    def _delta(self, chunk: Chunk) -> dict[str, Any]:
        delta: dict[str, Any] = {}
        if chunk.text:
            delta["content"] = chunk.text
        if chunk.reasoning:
            delta["reasoning_content"] = chunk.reasoning
        if chunk.tool_deltas:
            delta["tool_calls"] = [_call_delta(piece) for piece in chunk.tool_deltas]
        return delta


def _call_delta(delta: ToolDelta) -> dict[str, Any]:
    if delta.name is None:
        return {"index": delta.index, "function": {"arguments": delta.arguments}}
    function = {"name": delta.name, "arguments": delta.arguments}
    return {"index": delta.index, "id": delta.id, "type": "function", "function": function}
