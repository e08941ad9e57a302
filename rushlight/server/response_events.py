"""The events of a streamed response, in OpenAI's order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.requests import Request

from rushlight.completion import Chunk, Completion
from rushlight.server.answers import Answers
from rushlight.server.blocks import BlockStep, BlockWriter
from rushlight.server.endpoint import told
from rushlight.server.response_items import item_id, item_json, part_json
from rushlight.server.response_shape import response_end
from rushlight.server.service import Service
from rushlight.server.shapes import chat_logprobs
from rushlight.server.sse import event

_TEXTS = {"text": "response.output_text", "reasoning": "response.reasoning_text"}


class ResponseEvents:
    """Writes the events of one response.

    Args:
        service: of the request.
        request: to which the log's line belongs.
        head: what is known of the response before it is written.
        n_dropped: tokens that were left out of the conversation.
    """

    def __init__(self, service: Service, request: Request, head: dict[str, Any], n_dropped: int) -> None:
        self._service = service
        self._request = request
        self._head = head
        self._n_dropped = n_dropped
        self._n_events = 0
        self._writer = BlockWriter()
        self._items: list[dict[str, Any]] = []
        self._item_id = ""
        self._logprobs: list[Any] = []
        self._new_logprobs: list[Any] = []

    async def events(self, answers: Answers) -> AsyncIterator[bytes]:
        """The events of an answer, and the end or an error."""
        try:
            yield self._event("response.created", response=self._head)
            yield self._event("response.in_progress", response=self._head)
            async for _, item in answers:
                if isinstance(item, Chunk):
                    for data in self._chunk(item):
                        yield data
                else:
                    for data in self._end(item):
                        yield data
        except Exception as error:
            answer = told(error, self._request)
            failed = {"code": answer.code or "server_error", "message": answer.message}
            response = {**self._head, "status": "failed", "error": failed, "output": self._items}
            yield self._event("response.failed", response=response)

    def _chunk(self, chunk: Chunk) -> Iterator[bytes]:
        if chunk.logprobs is not None:
            self._new_logprobs += chat_logprobs(chunk.logprobs, self._service.llm.tokenizer)["content"]
        for step in self._writer.feed(chunk):
            yield from self._step(step, "completed")

    def _end(self, completion: Completion) -> Iterator[bytes]:
        end = response_end(completion, self._n_dropped)
        for step in self._writer.finish():
            yield from self._step(step, end["status"])
        self._service.note(self._request, [completion])
        response = {**self._head, **end, "output": self._items}
        yield self._event(f"response.{end['status']}", response=response)

    def _step(self, step: BlockStep, status: str) -> Iterator[bytes]:
        if step.step == "start":
            yield from self._start(step)
        elif step.step == "delta":
            yield self._delta(step)
        else:
            yield from self._stop(step, status)

    def _start(self, step: BlockStep) -> Iterator[bytes]:
        self._item_id, self._logprobs = item_id(step.block), []
        item = item_json(step.block, self._item_id, "in_progress")
        yield self._event("response.output_item.added", output_index=step.place, item=item)
        if step.block.kind != "call":
            yield self._part_event("response.content_part.added", step, part=part_json(step.block))

    def _delta(self, step: BlockStep) -> bytes:
        if step.block.kind == "call":
            return self._item_event("response.function_call_arguments.delta", step, delta=step.delta)
        more: dict[str, Any] = {}
        if step.block.kind == "text":
            more["logprobs"], self._new_logprobs = self._new_logprobs, []
            self._logprobs += more["logprobs"]
        return self._part_event(f"{_TEXTS[step.block.kind]}.delta", step, delta=step.delta, **more)

    def _stop(self, step: BlockStep, status: str) -> Iterator[bytes]:
        block = step.block
        if block.kind == "call":
            name = "response.function_call_arguments.done"
            yield self._item_event(name, step, arguments=block.content, name=block.name)
        else:
            more = {"logprobs": self._logprobs} if block.kind == "text" else {}
            yield self._part_event(f"{_TEXTS[block.kind]}.done", step, text=block.content, **more)
            part = part_json(block, self._logprobs)
            yield self._part_event("response.content_part.done", step, part=part)
        item = item_json(block, self._item_id, status, self._logprobs)
        self._items.append(item)
        yield self._event("response.output_item.done", output_index=step.place, item=item)

    def _part_event(self, kind: str, step: BlockStep, **data: Any) -> bytes:
        return self._item_event(kind, step, content_index=0, **data)

    def _item_event(self, kind: str, step: BlockStep, **data: Any) -> bytes:
        return self._event(kind, item_id=self._item_id, output_index=step.place, **data)

    def _event(self, kind: str, **data: Any) -> bytes:
        number = self._n_events
        self._n_events += 1
        return event({"type": kind, "sequence_number": number, **data}, kind)
