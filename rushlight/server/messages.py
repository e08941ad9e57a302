"""``/v1/messages`` and ``/v1/messages/count_tokens``: Anthropic's API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rushlight.completion import Completion, Usage
from rushlight.prompts import encode_rendered
from rushlight.server.answers import Answers, Job
from rushlight.server.anthropic_messages import anthropic_messages, anthropic_tools
from rushlight.server.blocks import Block, BlockStep, BlockWriter, blocks_of
from rushlight.server.endpoint import told
from rushlight.server.respond import error_body, json_response
from rushlight.server.sampling import params_of
from rushlight.server.service import Service
from rushlight.server.shapes import new_id
from rushlight.server.sse import EventStream, event, until_disconnect

_REASONS = {"length": "max_tokens", "tool_calls": "tool_use"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_DELTAS = {"text": ("text_delta", "text"), "reasoning": ("thinking_delta", "thinking")}


async def messages(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """Answer a conversation."""
    model = service.model_name(body.get("model"))
    job = _job(service, body)
    if not body.get("stream"):
        completions = await until_disconnect(request.receive, service.client.complete(job))
        service.note(request, completions)
        return json_response(_whole(model, completions[0]))
    answers = await service.client.start(job)
    events = _events(service, request, model, answers)
    return EventStream(events, lambda: service.client.end(answers))


async def count_tokens(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """How many tokens the prompt of a conversation has."""
    service.model_name(body.get("model"))
    choice, variables = _tool_choice(body), _variables(body)
    tools = None if choice["tool_choice"] == "none" else choice["tools"]
    conversation = anthropic_messages(body)

    def count() -> int:
        text = service.llm.apply_chat_template(conversation, tools, True, variables)
        return len(encode_rendered(service.llm.tokenizer, text))

    return json_response({"input_tokens": await service.client.run(count)})


def _job(service: Service, body: dict[str, Any]) -> Job:
    service.check_sizes(body, anthropic_tools(body.get("tools")))
    stop = {"stop": body["stop_sequences"]} if "stop_sequences" in body else {}
    return Job(
        prompts=[anthropic_messages(body)],
        params=params_of({**body, **stop}, 1, max_tokens=body["max_tokens"], logprobs=None),
        **_tool_choice(body),
        response_format=_format(body),
        chat_template_kwargs=_variables(body),
        end_only=not body.get("stream"),
        seconds=service.seconds(body.get("timeout")),
    )


def _tool_choice(body: dict[str, Any]) -> dict[str, Any]:
    """The tools and the choice of them, as `LLM.chat` takes them."""
    choice = body.get("tool_choice", {"type": "auto"})
    named = {"type": "function", "function": {"name": choice.get("name")}}
    return {
        "tools": anthropic_tools(body.get("tools")) or None,
        "tool_choice": named if choice["type"] == "tool" else _CHOICES[choice["type"]],
        "parallel_tool_calls": not choice.get("disable_parallel_tool_use", False),
    }


def _format(body: dict[str, Any]) -> dict[str, Any] | None:
    """What the answer has to match, as `LLM.chat` takes it."""
    given = body.get("output_config", {}).get("format")
    return given and {"type": "json_schema", "json_schema": {"schema": given["schema"]}}


def _variables(body: dict[str, Any]) -> Mapping[str, Any]:
    variables = dict(body.get("chat_template_kwargs", {}))
    if "thinking" in body:
        variables.setdefault("enable_thinking", body["thinking"]["type"] != "disabled")
    if "effort" in body.get("output_config", {}):
        variables.setdefault("reasoning_effort", body["output_config"]["effort"])
    return variables


def _message(model: str, content: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _whole(model: str, completion: Completion) -> dict[str, Any]:
    content = [_block_json(block) for block in blocks_of(completion)]
    return {**_message(model, content, _usage(completion.usage)), **_stop(completion)}


def _stop(completion: Completion) -> dict[str, Any]:
    if completion.stop_string is not None and completion.finish_reason == "stop":
        return {"stop_reason": "stop_sequence", "stop_sequence": completion.stop_string}
    return {"stop_reason": _REASONS.get(completion.finish_reason, "end_turn"), "stop_sequence": None}


def _usage(usage: Usage) -> dict[str, Any]:
    """Usage as Anthropic tells it: what was found in the cache is not among the input tokens."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


async def _events(service: Service, request: Request, model: str, answers: Answers) -> AsyncIterator[bytes]:
    """The events of an answer, and the end or an error."""
    writer = BlockWriter()
    start = _message(model, [], _usage(Usage(answers.prompt_tokens[0], 0)))
    try:
        yield event({"type": "message_start", "message": start}, "message_start")
        async for _, item in answers:
            for step in writer.finish() if isinstance(item, Completion) else writer.feed(item):
                yield _step_event(step)
            if isinstance(item, Completion):
                service.note(request, [item])
                delta = {"type": "message_delta", "delta": _stop(item), "usage": _usage(item.usage)}
                yield event(delta, "message_delta")
        yield event({"type": "message_stop"}, "message_stop")
    except Exception as error:
        yield event(error_body(told(error, request), request.scope), "error")


def _step_event(step: BlockStep) -> bytes:
    if step.step == "start":
        data: dict[str, Any] = {"content_block": _block_json(step.block)}
    elif step.step == "stop":
        data = {}
    elif step.block.kind == "call":
        data = {"delta": {"type": "input_json_delta", "partial_json": step.delta}}
    else:
        kind, name = _DELTAS[step.block.kind]
        data = {"delta": {"type": kind, name: step.delta}}
    name = f"content_block_{step.step}"
    return event({"type": name, "index": step.place, **data}, name)


def _block_json(block: Block) -> dict[str, Any]:
    if block.kind == "text":
        return {"type": "text", "text": block.content, "citations": None}
    if block.kind == "reasoning":
        return {"type": "thinking", "thinking": block.content, "signature": ""}
    arguments = json.loads(block.content) if block.content else {}
    return {"type": "tool_use", "id": block.call_id, "name": block.name, "input": arguments}
