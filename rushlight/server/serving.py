"""Serves an application until a signal: stops taking requests, lets running ones end, then ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from rushlight.errors import RushlightError
from rushlight.server.errors import ApiError
from rushlight.server.logs import log
from rushlight.server.service import Service

_GRACE_SECONDS = 5
_BACKLOG = 512


class HttpServer(uvicorn.Server):
    """uvicorn, which drains.

    Args:
        app: of `create_app`.
        listening: the socket to accept connections from, of `listen`.
        on_start: called once connections are accepted.

    Attributes:
        signal: what told it to stop, None if it was no signal.
    """

    def __init__(self, app: Starlette, listening: socket.socket, on_start: Callable[[], None]) -> None:
        self._service: Service = app.state.service
        self._listening = listening
        self._on_start = on_start
        self.signal: int | None = None
        self._n_signals = 0
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                loop="asyncio",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=int(self._service.options.drain_seconds) + _GRACE_SECONDS,
            )
        )

    def serve_until_told(self) -> None:
        """Serve until a signal or `stop`; a second signal ends what still runs, a third does not wait."""
        self.run([self._listening])

    def stop(self) -> None:
        """Begin to stop. Any thread may call this."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no requests any more; end what still runs after the time for draining."""
        admission = self._service.client.admission
        admission.draining = True
        log("stopping", n_sequences=admission.n_inside)
        timer = asyncio.get_running_loop().call_later(self._service.options.drain_seconds, self._end_all)
        await super().shutdown(sockets)
        timer.cancel()
        log("stopped")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM while serving; afterwards the process goes on and ends as it likes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kinds = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            kinds.append(signal.SIGBREAK)
        before = {kind: signal.signal(kind, self._on_signal) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def _on_signal(self, kind: int, frame: FrameType | None) -> None:
        self.signal = self.signal or kind
        self._n_signals += 1
        self.should_exit = True
        if self._n_signals == 2:
            self._loop.call_soon_threadsafe(self._end_all)
        elif self._n_signals > 2:
            self.force_exit = True

    def _end_all(self) -> None:
        log("ending what still runs", logging.WARNING, n_sequences=self._service.client.admission.n_inside)
        error = ApiError(503, "The server stopped before the answer was done.", code="server_stopped")
        self._service.client.fail_all(error)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        RushlightError: the address is in use, or not this machine's.
    """
    try:
        return _listen(host, port)
    except OSError as error:
        raise RushlightError(
            f"The server cannot listen on {host}, port {port}: {(error.strerror or str(error)).lower()}; "
            "choose another with --host or --port."
        ) from error


def _listen(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A name of both kinds, such as localhost, is reached by its IPv4 address in most links.
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    listening = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there it would let others take the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening
