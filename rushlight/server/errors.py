"""What a client is told when something is wrong, in OpenAI's and in Anthropic's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rushlight.errors import (
    ContextOverflow,
    InvalidParameter,
    QueueFull,
    RushlightError,
    TemplateError,
    UnsupportedModel,
)


class ApiError(Exception):
    """An answer that is an error.

    Attributes:
        status: of HTTP.
        message: a sentence or two for people.
        kind: the error's type, in OpenAI's words.
        code: for programs, or None.
        param: the field of the request that is at fault, or None.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind or _KINDS.get(status, _Kind("invalid_request_error", "invalid_request_error")).openai
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def openai(self) -> dict[str, Any]:
        """The body of OpenAI's API."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error}

    def anthropic(self, request_id: str) -> dict[str, Any]:
        """The body of Anthropic's API."""
        kind = _KINDS.get(self.status, _Kind("", "invalid_request_error")).anthropic
        return {
            "type": "error",
            "error": {"type": kind, "message": self.message},
            "request_id": request_id,
        }


class _Kind(NamedTuple):
    openai: str
    anthropic: str


_KINDS = {
    400: _Kind("invalid_request_error", "invalid_request_error"),
    401: _Kind("invalid_request_error", "authentication_error"),
    403: _Kind("invalid_request_error", "permission_error"),
    404: _Kind("invalid_request_error", "not_found_error"),
    413: _Kind("invalid_request_error", "request_too_large"),
    429: _Kind("rate_limit_error", "rate_limit_error"),
    500: _Kind("server_error", "api_error"),
    503: _Kind("server_error", "overloaded_error"),
    504: _Kind("server_error", "timeout_error"),
}


def bad_field(where: str, message: str, code: str | None = None) -> ApiError:
    """The error of a field of the request."""
    return ApiError(400, message, param=where or None, code=code)


def as_api_error(error: BaseException) -> ApiError:
    """What a client is told of an error; what is nobody's fault but the server's is told in general words."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, QueueFull):
        return ApiError(429, str(error), code="queue_full", headers={"Retry-After": "1"})
    if isinstance(error, ContextOverflow):
        return ApiError(400, str(error), code="context_length_exceeded")
    if isinstance(error, InvalidParameter | TemplateError | UnsupportedModel):
        return ApiError(400, str(error))
    if isinstance(error, RecursionError):
        return ApiError(400, "The request is nested too deeply.")
    if isinstance(error, RushlightError):
        return ApiError(500, str(error))
    return ApiError(500, "The server failed; its log tells more under this request's id.")
