"""Logs in JSON, a line for each request, with its id and never its words; ids of requests."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Any, TextIO

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOGGER = logging.getLogger("rushlight.server")
HEADER = "x-request-id"
ANTHROPIC_HEADER = "request-id"
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_QUIET_PATHS = frozenset({"/health", "/ready", "/metrics"})

Observe = Callable[[str, int, float], None]
"""Called with a request's path as the routes write it, its status, and the seconds that it took."""


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, message, and what its `fields` hold."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        data = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            data["trace"] = self.formatException(record.exc_info)
        return json.dumps(data, ensure_ascii=False, default=str)


def log_to(stream: TextIO, level: int = logging.INFO) -> None:
    """Write the logs of this server, and of what carries it, to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    for name in ("rushlight.server", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level if name == "rushlight.server" else max(level, logging.WARNING))


def log(
    message: str, level: int = logging.INFO, *, trace: BaseException | None = None, **fields: Any
) -> None:
    """Write a line with some fields."""
    LOGGER.log(level, message, extra={"fields": fields}, exc_info=trace)


class RequestLog:
    """Gives every request an id, tells it in the answer, and writes a line when the answer is done.

    Args:
        app: what is logged.
        observe: hears of every request.
    """

    def __init__(self, app: ASGIApp, observe: Observe) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on (ASGI)."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        asked = Headers(scope=scope).get(HEADER, "")
        request_id = asked if _ID.fullmatch(asked) else f"req_{secrets.token_hex(12)}"
        fields: dict[str, Any] = {}
        scope.setdefault("state", {}).update(request_id=request_id, log=fields, route="other")
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = headers[ANTHROPIC_HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = scope["state"]["route"]
            self._observe(route, status, seconds)
            log(
                "request",
                logging.DEBUG if route in _QUIET_PATHS else logging.INFO,
                request_id=request_id,
                method=scope["method"],
                path=scope["path"][:200],
                status=status,
                seconds=round(seconds, 4),
                **fields,
            )
