"""Who may ask: the Host and Origin headers, and API keys. Each is a layer around the application.

A page that a browser shows can send requests to this machine. DNS rebinding gives it a host name of its own,
so a server on a loopback address takes loopback names only; and a request that names another origin is
refused unless that origin was allowed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rushlight.server.errors import ApiError
from rushlight.server.respond import error_response

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
OPEN_PATHS = frozenset({"/", "/health", "/ready", "/openapi.json"})
"""Paths that need no key; so do the files of the page."""
OPEN_FOLDER = "/web/"


class HostGuard:
    """Refuses requests for names that are not this server's, and from pages of other origins.

    Args:
        app: what is guarded.
        hosts: the names it may be called, besides the loopback ones; None: any.
        origins: other origins whose pages may ask; ``*`` is all.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None, origins: Iterable[str]) -> None:
        self._app = app
        self._hosts = None if hosts is None else {*_LOOPBACK_NAMES, *(host.lower() for host in hosts)}
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it (ASGI)."""
        if scope["type"] == "http" and (error := self._error(Headers(scope=scope))):
            return await error_response(error, scope)(scope, receive, send)
        await self._app(scope, receive, send)

    def _error(self, headers: Headers) -> ApiError | None:
        host = headers.get("host", "").lower()
        if self._hosts is not None and _without_port(host) not in self._hosts:
            return ApiError(
                403,
                f"The Host header is {host!r:.100}, which is no name of this server; add it with "
                "--allowed-host if it should be.",
                code="host_not_allowed",
            )
        origin = headers.get("origin")
        if origin is None or origin in self._origins or "*" in self._origins:
            return None
        # The scheme is not compared: behind a proxy that speaks TLS it is another one.
        if origin.lower().partition("://")[2] == host:
            return None
        return ApiError(
            403,
            f"A page of {origin!r:.100} asks, which is another origin; allow it with --cors-origin.",
            code="origin_not_allowed",
        )


class KeyGuard:
    """Asks for an API key, as ``Authorization: Bearer KEY`` or ``x-api-key: KEY``.

    Args:
        app: what is guarded.
        keys: one of these will do.
    """

    def __init__(self, app: ASGIApp, keys: Iterable[str]) -> None:
        self._app = app
        self._digests = [_digest(key) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it (ASGI)."""
        if scope["type"] == "http" and not _is_open(scope["path"]):
            key = _key(Headers(scope=scope))
            if key is None or not self._knows(key):
                message = (
                    "The API key is wrong." if key else "An API key is needed: Authorization: Bearer KEY."
                )
                headers = {"WWW-Authenticate": "Bearer"}
                error = ApiError(401, message, code="invalid_api_key", headers=headers)
                return await error_response(error, scope)(scope, receive, send)
        await self._app(scope, receive, send)

    def _knows(self, key: str) -> bool:
        """Compares with every key, each in constant time."""
        digest = _digest(key)
        found = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(found)


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _key(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key") or None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
