"""The chat page: files of this package, read once and served with a strict content security policy."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rushlight.server.errors import ApiError
from rushlight.server.respond import error_response

FOLDER = Path(__file__).with_name("web")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".woff2": "font/woff2"}
_INDEX = "index.html"


class PageFile(NamedTuple):
    """A file of the page."""

    data: bytes
    media_type: str
    etag: str


def page_routes() -> list[Route]:
    """The routes of the page: ``/`` and ``/web/...``. What a request names is looked up in a table only."""
    found = dict(_read(FOLDER))
    return [Route("/", _serve(found, _INDEX)), Route("/web/{name:path}", _serve(found))]


def _serve(found: dict[str, PageFile], name: str | None = None) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        asked = request.path_params["name"] if name is None else name
        if (file := found.get(asked)) is None:
            return error_response(ApiError(404, f"There is no file {asked!r:.200} here."), request.scope)
        headers = {**HEADERS, "ETag": file.etag}
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.data, headers=headers, media_type=file.media_type)

    return serve


def _read(folder: Path) -> Iterator[tuple[str, PageFile]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            data = path.read_bytes()
            kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
            yield path.relative_to(folder).as_posix(), PageFile(data, kind, etag)
