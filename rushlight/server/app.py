"""The ASGI application of a loaded model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rushlight import __version__
from rushlight.server.client import Client
from rushlight.server.endpoint import told
from rushlight.server.endpoints import ENDPOINTS
from rushlight.server.errors import ApiError
from rushlight.server.guard import HostGuard, KeyGuard
from rushlight.server.limits import Admission
from rushlight.server.logs import HEADER, RequestLog
from rushlight.server.metrics import Metrics
from rushlight.server.openapi import openapi
from rushlight.server.options import ServerOptions
from rushlight.server.page import page_routes
from rushlight.server.respond import error_response, json_response
from rushlight.server.service import Service

if TYPE_CHECKING:
    from rushlight.llm import LLM


def create_app(llm: LLM, options: ServerOptions | None = None) -> Starlette:
    """The application; it does not own the model, which is closed by whoever loaded it.

    Args:
        llm: the model.
        options: what is allowed.
    """
    options = options or ServerOptions()
    service = Service(
        llm=llm,
        options=options,
        client=Client(llm, Admission(llm.options.n_sequences, options.n_queue)),
        metrics=Metrics(
            llm.stats, {"version": __version__, "model": options.model_names[0], "backend": llm.backend}
        ),
    )
    app = Starlette(
        routes=[
            *(endpoint.route() for endpoint in ENDPOINTS),
            Route("/openapi.json", _description(service)),
            *page_routes(),
        ],
        middleware=_layers(service),
        exception_handlers={HTTPException: _http_error, Exception: _failed},
        lifespan=_lifespan,
    )
    app.state.service = service
    return app


def _layers(service: Service) -> list[Middleware]:
    """What is around the routes, the outermost first."""
    options = service.options
    hosts = options.allowed_hosts if options.allowed_hosts or options.is_loopback else None
    layers = [
        Middleware(RequestLog, observe=service.metrics.request),
        Middleware(HostGuard, hosts=hosts, origins=options.cors_origins),
    ]
    if options.cors_origins:
        layers.append(
            Middleware(
                CORSMiddleware,
                allow_origins=options.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=[HEADER, "Retry-After"],
            )
        )
    if options.api_keys:
        layers.append(Middleware(KeyGuard, keys=options.api_keys))
    return layers


def _description(service: Service) -> Callable[[Request], Awaitable[Response]]:
    response = json_response(openapi(ENDPOINTS, bool(service.options.api_keys)))

    async def describe(request: Request) -> Response:
        return response

    return describe


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    app.state.service.client.close()


async def _failed(request: Request, error: Exception) -> Response:
    """What nobody foresaw."""
    return error_response(told(error, request), request.scope)


async def _http_error(request: Request, error: Exception) -> Response:
    """What the router refuses: an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path:.200}: {error.detail}."
    return error_response(ApiError(error.status_code, message, headers=error.headers), request.scope)
