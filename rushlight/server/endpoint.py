"""An endpoint: its path, what it takes, and what answers it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from rushlight.server.body import parse_json, read_body
from rushlight.server.errors import ApiError, as_api_error
from rushlight.server.fields import Object
from rushlight.server.logs import log
from rushlight.server.respond import error_response, request_id_of
from rushlight.server.service import Service, service_of

CLIENT_GONE = 499
_LARGE = 2**16
Handler = Callable[[Service, Request, dict[str, Any]], Awaitable[Response]]


@dataclass(frozen=True)
class Endpoint:
    """One path and method.

    Attributes:
        method: of HTTP.
        path: as routes write it.
        handler: called with the service, the request and its checked body.
        about: a sentence for people.
        body: what a request must hold; None: it has no body.
        answers: the media type of its answers.
    """

    method: str
    path: str
    handler: Handler
    about: str
    body: Object | None = None
    answers: str = "application/json"

    def route(self) -> Route:
        """The route of the application."""
        return Route(self.path, self._answer, methods=[self.method])

    async def _answer(self, request: Request) -> Response:
        """Answer a request, with an error if it comes to that."""
        request.scope["state"]["route"] = self.path
        service = service_of(request)
        try:
            return await self.handler(service, request, await self._body(service, request))
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        except Exception as error:
            return error_response(told(error, request), request.scope)

    async def _body(self, service: Service, request: Request) -> dict[str, Any]:
        """The checked body of a request; a large one is not read in the event loop."""
        if self.body is None:
            return {}
        kind, data = self.body, await read_body(request, service.options.max_body_bytes)

        def read() -> dict[str, Any]:
            value = parse_json(data)
            if service.options.log_prompts:
                log("body", request_id=request_id_of(request.scope), body=value)
            return kind.check(value, "")

        return await service.client.run(read) if len(data) > _LARGE else read()


def told(error: Exception, request: Request) -> ApiError:
    """What the client is told of an error; the log is told of those that are the server's fault.

    Messages of others stay out of the log, as they may hold words of the request.
    """
    answer = as_api_error(error)
    if answer.status >= 500 and not isinstance(error, ApiError):
        log("failed", logging.ERROR, trace=error, request_id=request_id_of(request.scope))
    service_of(request).metrics.error(answer.code or str(answer.status))
    request.scope["state"]["log"].update(code=answer.code, param=answer.param)
    return answer
