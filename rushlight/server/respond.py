"""Answers in JSON, errors among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from starlette.responses import Response
from starlette.types import Scope

from rushlight.server.errors import ApiError

ANTHROPIC_PATHS = ("/v1/messages", "/v1/messages/count_tokens")


def json_response(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON as it is written everywhere here."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(text.encode(), status, headers, media_type="application/json")


def error_response(error: ApiError, scope: Scope) -> Response:
    """An error in the shape of the API that the request was for."""
    return json_response(error_body(error, scope), error.status, error.headers)


def error_body(error: ApiError, scope: Scope) -> dict[str, Any]:
    """What an error is told as; see `error_response`."""
    if scope["path"] in ANTHROPIC_PATHS:
        return error.anthropic(request_id_of(scope))
    return error.openai()


def request_id_of(scope: Scope) -> str:
    """The id of a request, which `RequestLog` gave it."""
    return cast(str, scope.get("state", {}).get("request_id", ""))
