"""The body of a request: JSON, not too large, in UTF-8."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from rushlight.server.errors import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request

_SECONDS = 60.0
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body of a request that says that it is JSON.

    Raises:
        ApiError: 415 another type, 413 too large, 408 too slow.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ApiError(415, f"The content type is {kind!r:.100}; application/json was expected.")
    try:
        return await asyncio.wait_for(_read(request, max_bytes), _SECONDS)
    except asyncio.TimeoutError:
        raise ApiError(408, f"The body did not arrive within {_SECONDS:g} seconds.") from None


def parse_json(data: bytes) -> Any:
    """JSON as RFC 8259 has it: no NaN, no half characters.

    Raises:
        ApiError: it is none.
    """
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
        if _LONE_SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise ApiError(400, "The body is not in UTF-8, or holds half a surrogate pair.") from None
    except RecursionError:
        raise ApiError(400, "The body is nested too deeply.") from None
    except ValueError as error:
        raise ApiError(400, f"The body is not JSON: {error}") from None
    return value


async def _read(request: Request, max_bytes: int) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(data)


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(413, f"The body is larger than {max_bytes} bytes, which is the limit.")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
