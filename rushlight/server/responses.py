"""``/v1/responses``: OpenAI's Responses API, stateless."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rushlight.completion import Completion
from rushlight.server.answers import Job
from rushlight.server.blocks import Block, blocks_of
from rushlight.server.conversation import template_messages
from rushlight.server.errors import bad_field
from rushlight.server.respond import json_response
from rushlight.server.response_events import ResponseEvents
from rushlight.server.response_items import item_id, item_json, item_messages
from rushlight.server.response_shape import response_end, response_head
from rushlight.server.sampling import params_of
from rushlight.server.service import Service
from rushlight.server.shapes import chat_logprobs
from rushlight.server.sse import EventStream, until_disconnect
from rushlight.server.truncation import fit

_LOGPROBS = "message.output_text.logprobs"


async def responses(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """Answer a conversation."""
    model = service.model_name(body.get("model"))
    if body.get("background"):
        raise bad_field("background", "background is true; nothing is stored here to be fetched later.")
    job, n_dropped = await fit(service, _job(service, body), body.get("truncation"))
    head = response_head(model, body)
    if not body.get("stream"):
        completions = await until_disconnect(request.receive, service.client.complete(job))
        service.note(request, completions)
        return json_response(_whole(service, head, completions[0], n_dropped))
    answers = await service.client.start(job)
    events = ResponseEvents(service, request, head, n_dropped).events(answers)
    return EventStream(events, lambda: service.client.end(answers))


def _job(service: Service, body: dict[str, Any]) -> Job:
    wanted = _LOGPROBS in body.get("include", []) or body.get("top_logprobs", 0)
    logprobs = body.get("top_logprobs", 0) if wanted else None
    variables = dict(body.get("chat_template_kwargs", {}))
    if "effort" in body.get("reasoning", {}):
        variables.setdefault("reasoning_effort", body["reasoning"]["effort"])
    tools = [_tool(tool) for tool in body.get("tools", [])]
    service.check_sizes(body, tools)
    messages = item_messages(body["input"], body.get("instructions"))
    return Job(
        prompts=[template_messages(service.llm, messages)],
        params=params_of(body, 1, max_tokens=body.get("max_output_tokens"), logprobs=logprobs),
        tools=tools or None,
        tool_choice=_choice(body.get("tool_choice")),
        parallel_tool_calls=body.get("parallel_tool_calls", True),
        response_format=_format(body.get("text", {}).get("format")),
        chat_template_kwargs=variables,
        end_only=not body.get("stream"),
        seconds=service.seconds(body.get("timeout")),
    )


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool in the shape that chats have, which templates read."""
    function = {key: tool[key] for key in ("name", "description", "parameters") if key in tool}
    return {"type": "function", "function": function}


def _choice(choice: Any) -> Any:
    """A choice of tools in the shape that chats have."""
    if isinstance(choice, dict):
        return {"type": "function", "function": {"name": choice["name"]}}
    return choice


def _format(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """What an answer has to match in the shape that chats have."""
    if given is None or "schema" not in given:
        return given
    return {"type": "json_schema", "json_schema": {"schema": given["schema"]}}


def _whole(service: Service, head: dict[str, Any], completion: Completion, n_dropped: int) -> dict[str, Any]:
    end = response_end(completion, n_dropped)
    logprobs = chat_logprobs(completion.logprobs or [], service.llm.tokenizer)["content"]
    blocks = blocks_of(completion) or [Block("text", "")]
    output = [item_json(block, item_id(block), end["status"], logprobs) for block in blocks]
    return {**head, **end, "output": output}
