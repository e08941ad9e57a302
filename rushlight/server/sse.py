"""Server-sent events: an answer while it is written, to a client that may go away at any time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_KEEP_ALIVE_SECONDS = 15.0
_KEEP_ALIVE = b": keep-alive\n\n"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
DONE = b"data: [DONE]\n\n"
T = TypeVar("T")


def event(data: Mapping[str, Any], name: str | None = None) -> bytes:
    """An event as it is written."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


class EventStream(Response):
    """Sends events until they end or the client goes away; then the iterator is closed at once.

    Args:
        events: written events; errors are events of its own.
        end: called when nothing more is sent, whatever the reason.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], end: Callable[[], None]) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._events = events
        self._end = end
        self._quiet = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events (ASGI)."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await until_disconnect(receive, self._send(send))
        except ClientDisconnect:
            pass
        finally:
            self._end()

    async def _send(self, send: Send) -> None:
        keeping_alive = asyncio.ensure_future(self._keep_alive(send))
        try:
            async for data in self._events:
                self._quiet = False
                await send({"type": "http.response.body", "body": data, "more_body": True})
        finally:
            keeping_alive.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _keep_alive(self, send: Send) -> None:
        """Send comments where nothing comes for long, so that no proxy takes the silence for the end."""
        while True:
            self._quiet = True
            await asyncio.sleep(_KEEP_ALIVE_SECONDS)
            if self._quiet:
                await send({"type": "http.response.body", "body": _KEEP_ALIVE, "more_body": True})


async def until_disconnect(receive: Receive, work: Awaitable[T]) -> T:
    """The result of some work, which is cancelled when the client goes away.

    Raises:
        ClientDisconnect: it went away.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
