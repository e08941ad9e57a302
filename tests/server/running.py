"""A server in a thread, as tests need it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from rushlight import LLM, EngineOptions
from rushlight.server.app import create_app
from rushlight.server.limits import Admission
from rushlight.server.options import ServerOptions
from rushlight.server.serving import HttpServer, listen

TINY = Path(__file__).parents[1] / "data" / "tiny"


@dataclass(frozen=True)
class RunningServer:
    """A server, its model and a client."""

    llm: LLM
    url: str
    http: httpx.Client
    server: HttpServer

    @property
    def v1(self) -> str:
        return f"{self.url}/v1"

    @property
    def admission(self) -> Admission:
        return self.server._service.client.admission

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return self.http.post(path, json=body, **options)

    def sequences(self) -> int:
        """How many sequences the engine has."""
        scheduler = self.llm._engine._scheduler
        return len(scheduler.waiting) + len(scheduler.running)


@contextmanager
def serving(
    model: Path, n_ctx: int | None = None, engine: EngineOptions | None = None, **options: Any
) -> Iterator[RunningServer]:
    """Serve a model."""
    with LLM(model, n_ctx=n_ctx, options=engine) as llm, serving_llm(llm, **options) as server:
        yield server


@contextmanager
def serving_llm(llm: LLM, **options: Any) -> Iterator[RunningServer]:
    """Serve a model that is loaded."""
    started = threading.Event()
    with listen("127.0.0.1", 0) as listening:
        server = HttpServer(create_app(llm, ServerOptions(**options)), listening, on_start=started.set)
        thread = threading.Thread(target=server.serve_until_told, name="test-server")
        thread.start()
        assert started.wait(20)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=60) as http:
            try:
                yield RunningServer(llm, url, http, server)
            finally:
                http.close()
                server.stop()
                thread.join(20)
                assert not thread.is_alive()


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.005)
