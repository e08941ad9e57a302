"""``/v1/models``, ``/health``, ``/ready`` and ``/metrics``: what is served, and how it goes."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rushlight.server.errors import ApiError
from rushlight.server.metrics import CONTENT_TYPE
from rushlight.server.respond import json_response
from rushlight.server.service import Service


async def list_models(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """The served model, under each of its names."""
    data = [_model(service, name) for name in service.options.model_names]
    return json_response({"object": "list", "data": data})


async def get_model(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """One of the names."""
    return json_response(_model(service, service.model_name(request.path_params["model"])))


async def health(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """Alive: the process answers."""
    return json_response({"status": "ok"})


async def ready(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """Ready: it takes requests, because it is neither stopping nor full."""
    if service.client.admission.draining:
        raise ApiError(503, "The server is stopping.", code="draining")
    if service.client.admission.is_full:
        raise ApiError(503, "The queue is full.", code="queue_full")
    return json_response({"status": "ready"})


async def metrics(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """The metrics, in Prometheus' text format."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def _model(service: Service, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": service.created,
        "owned_by": "rushlight",
        "max_model_len": service.llm.n_ctx,
    }
