"""A package index of wheels made on the spot, on a port of this machine (PEP 503)."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def make_wheel(
    name: str,
    version: str,
    files: dict[str, bytes],
    *,
    requires: tuple[str, ...] = (),
    record: dict[str, bytes] | None = None,
) -> tuple[str, bytes]:
    """Return the file name and the bytes of a wheel; `record` overrides what RECORD says of a file."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    files = {
        **files,
        f"{stem}.dist-info/METADATA": metadata.encode(),
        f"{stem}.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, data in files.items():
        said = (record or {}).get(path, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(said).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}")
    files[f"{stem}.dist-info/RECORD"] = "\n".join([*lines, f"{stem}.dist-info/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return f"{stem}-py3-none-any.whl", buffer.getvalue()


class FakeIndex:
    """The server. `requests` tells the paths that were asked for."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}  # by project, then by file name
        self.requests: list[str] = []
        self.hashes: dict[str, str] = {}  # overrides the sha256 that a file's link promises
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def add(self, file_name: str, data: bytes) -> None:
        project = re.sub(r"[-_.]+", "-", file_name.split("-", maxsplit=1)[0]).lower()
        self.files.setdefault(project, {})[file_name] = data

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(index: FakeIndex) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.requests.append(self.path)
            kind, _, rest = self.path.strip("/").partition("/")
            if kind == "simple" and rest in index.files:
                self._send(self._links(rest).encode(), "text/html")
            elif kind == "files" and (data := self._find(rest)) is not None:
                self._send(data, "application/octet-stream")
            else:
                self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _links(self, project: str) -> str:
            links = []
            for name, data in index.files[project].items():
                digest = index.hashes.get(name, hashlib.sha256(data).hexdigest())
                links.append(f'<a href="{index.url}/files/{name}#sha256={digest}">{name}</a>')
            return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"

        def _find(self, name: str) -> bytes | None:
            return next((files[name] for files in index.files.values() if name in files), None)

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
