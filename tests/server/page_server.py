"""A server that shows the chat page and answers as a test tells it: slowly, wrongly, or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from rushlight.server.page import page_routes
from rushlight.server.serving import listen
from rushlight.server.sse import DONE, event

MODEL = {"id": "scripted", "object": "model", "max_model_len": 4096}
USAGE = {"prompt_tokens": 1200, "completion_tokens": 34, "prompt_tokens_details": {"cached_tokens": 1000}}
TIMINGS = {"predicted_per_second": 56.78}


@dataclass(frozen=True)
class Think:
    """A piece of thinking."""

    text: str


@dataclass(frozen=True)
class Refuse:
    """An error: as the whole answer where it comes first, else in the middle of the stream."""

    status: int
    message: str
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": "error", "param": None, "code": self.code}}


class Gate:
    """The stream waits here until the test opens it."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self.open = self._opened.set

    async def passed(self) -> None:
        while not self._opened.is_set():
            await asyncio.sleep(0.005)


class Cut:
    """The connection breaks."""


Step = str | Think | Refuse | Gate | Cut | float


class Scripted:
    """What is answered next, and what was asked.

    Attributes:
        url: where the page is.
        answers: scripts of the coming answers: pieces of text, things that happen, and seconds to wait.
        asked: bodies of the requests so far.
        left: the scripts whose clients went away before the end.
        key: an API key that is asked for; None: none is.
        models: those of the server.
    """

    def __init__(self) -> None:
        self.url = ""
        self.reset()

    def reset(self) -> None:
        self.answers: deque[list[Step]] = deque()
        self.asked: list[dict[str, Any]] = []
        self.left: list[list[Step]] = []
        self.key: str | None = None
        self.models = [MODEL]

    def answer(self, *steps: Step) -> list[Step]:
        """Answer the next request in these steps."""
        self.answers.append(list(steps))
        return self.answers[-1]

    def app(self) -> Starlette:
        routes = [
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/models", self._list_models),
            Route("/health", _health),
        ]
        return Starlette(routes=[*routes, *page_routes()])

    def _refused(self, request: Request) -> Response | None:
        if self.key is None or request.headers.get("authorization") == f"Bearer {self.key}":
            return None
        return JSONResponse(Refuse(401, "The API key is wrong.", "invalid_api_key").body, 401)

    async def _list_models(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse({"object": "list", "data": self.models})

    async def _chat(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        self.asked.append(await request.json())
        steps = self.answers.popleft()
        if steps and isinstance(first := steps[0], Refuse):
            return JSONResponse(first.body, first.status, dict(first.headers))
        return StreamingResponse(self._events(steps), media_type="text/event-stream")

    async def _events(self, steps: list[Step]) -> AsyncIterator[bytes]:
        ended = False
        try:
            for step in steps:
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, Gate):
                    await step.passed()
                elif isinstance(step, Cut):
                    raise ConnectionAbortedError("as the test wanted")
                elif isinstance(step, Refuse):
                    yield event(step.body)
                    ended = True
                    return
                else:
                    delta = {"content": step} if isinstance(step, str) else {"reasoning_content": step.text}
                    yield event({"model": "scripted", "choices": [{"index": 0, "delta": delta}]})
            yield event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "seed": 7}]})
            yield event({"choices": [], "usage": USAGE, "timings": TIMINGS})
            yield DONE
            ended = True
        finally:
            if not ended:
                self.left.append(steps)


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


@contextmanager
def scripting() -> Iterator[Scripted]:
    """A scripted server on a free port."""
    scripted = Scripted()
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(
            uvicorn.Config(
                scripted.app(), ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1
            )
        )
        thread = threading.Thread(target=lambda: server.run([listening]), name="scripted-server")
        thread.start()
        scripted.url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        try:
            yield scripted
        finally:
            server.should_exit = True
            thread.join(10)
