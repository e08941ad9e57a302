"""The client's end of a connection, in the standard library: JSON out, JSON or a stream of events back."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Generator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from rushlight.errors import InvalidParameter, ServerFailure

_MOST_TOLD = 200  # characters of a server's error that are repeated
_DONE = "[DONE]"


class Api:
    """A server that speaks OpenAI's API. Safe to use from several threads: each request has its connection.

    Args:
        url: where it listens, with or without the ``/v1`` at the end.
        key: sent as a bearer token; None: none.
        timeout: most seconds without a word from it.

    Raises:
        InvalidParameter: that is no URL of a server.
    """

    def __init__(self, url: str, *, key: str | None = None, timeout: float = 600.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidParameter(f"The URL is {url!r}; it must be like http://127.0.0.1:8080.")
        self._secure, self._host = parts.scheme == "https", parts.hostname
        try:
            self._port = parts.port or (443 if self._secure else 80)
        except ValueError as error:
            raise InvalidParameter(f"The URL is {url!r}; its port must be from 0 to 65535.") from error
        self._base = parts.path.rstrip("/").removesuffix("/v1")
        self._timeout = timeout
        self._headers = {"Content-Type": "application/json"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"

    def get(self, path: str) -> str:
        """The text at a path.

        Raises:
            ServerFailure: there is none, or the server is not reached.
        """
        with closing(self._connect()) as connection:
            try:
                return _checked(self._send(connection, "GET", path)).read().decode("utf-8", "replace")
            except (OSError, http.client.HTTPException) as error:
                raise ServerFailure(_reason(error)) from error

    def models(self) -> list[str]:
        """The names of its models.

        Raises:
            ServerFailure: it tells none.
        """
        try:
            return [str(model["id"]) for model in json.loads(self.get("/v1/models"))["data"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ServerFailure("/v1/models is no list of models") from error

    def stream(self, path: str, body: dict[str, Any]) -> Generator[tuple[float, dict[str, Any]], None, None]:
        """The events of an answer, each with the moment (`time.perf_counter`) at which it came.

        Closing the iterator closes the connection.

        Raises:
            ServerFailure: an error of the server, or a stream that ends before its ``[DONE]``.
        """
        with closing(self._connect()) as connection:
            try:
                response = _checked(self._send(connection, "POST", path, body))
                while line := response.readline():
                    arrived = time.perf_counter()
                    name, _, data = line.decode("utf-8", "replace").strip().partition(":")
                    if name != "data":
                        continue
                    if data.strip() == _DONE:
                        return
                    yield arrived, _event(data)
            except (OSError, http.client.HTTPException) as error:
                raise ServerFailure(_reason(error)) from error
        raise ServerFailure("the stream broke off")

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=self._timeout)

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Any = None
    ) -> http.client.HTTPResponse:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, self._base + path, content, self._headers)
        return connection.getresponse()


def _event(data: str) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise ServerFailure("an event is not JSON") from error
    if not isinstance(event, dict):
        raise ServerFailure("an event is no object")
    if event.get("error"):
        raise ServerFailure(_told(event))
    return event


def _checked(response: http.client.HTTPResponse) -> http.client.HTTPResponse:
    if response.status != http.client.OK:
        content = response.read().decode("utf-8", "replace")
        try:
            content = _told(json.loads(content))
        except ValueError:
            content = content[:_MOST_TOLD]
        raise ServerFailure(f"HTTP {response.status}: {' '.join(content.split())}")
    return response


def _told(answer: Any) -> str:
    """The message of an error object."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    message = error.get("message", error) if isinstance(error, dict) else error
    return str(message)[:_MOST_TOLD]


def _reason(error: Exception) -> str:
    """What went wrong, without numbers that differ, so that like errors are counted together."""
    if isinstance(error, TimeoutError):
        return "no word from the server in time"
    if isinstance(error, http.client.IncompleteRead):
        return "the stream broke off"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
