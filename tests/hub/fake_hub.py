"""A Hugging Face Hub of a few files, on a port of this machine.

Routes, headers and error codes are those that the Hub answers `huggingface_hub` with: model info, refs,
tree, ``resolve`` with a redirect to a content host, byte ranges.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


def commit_id(name: str) -> str:
    return hashlib.sha1(name.encode()).hexdigest()


@dataclass
class Repo:
    """Files by commit, and the branches and tags that lead to commits."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    needs_token: str | None = None  # gated, unless this token comes along
    private: bool = False

    def commit(self, ref: str, files: dict[str, bytes]) -> str:
        """Add a commit and let a branch or tag point there."""
        sha = commit_id(f"{ref}{sorted(files)}{len(self.commits)}")
        self.commits[sha] = files
        self.refs[ref] = sha
        return sha

    def find(self, revision: str) -> str | None:
        return self.refs.get(revision, revision if revision in self.commits else None)


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]


class FakeHub:
    """The server. `requests` tells what was asked for; `drop_after` and `tamper` break the next downloads."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.drop_after: list[int] = []  # for each coming content response: bytes after which it breaks off
        self.tamper = False  # send wrong bytes of the right length
        self.stall = threading.Event()  # clear it, and downloads stop half way until it is set
        self.stall.set()
        self.status: int | None = None  # answer everything with it
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def content_url(self) -> str:
        """The same server by another host name: redirects to it are the content host's, as on the Hub."""
        return f"http://localhost:{self._server.server_port}"

    def repo(self, name: str, files: dict[str, bytes] | None = None) -> Repo:
        repo = self.repos.setdefault(name, Repo())
        if files is not None:
            repo.commit("main", files)
        return repo

    def blob(self, sha256: str) -> bytes | None:
        every = (data for r in self.repos.values() for files in r.commits.values() for data in files.values())
        return next((data for data in every if hashlib.sha256(data).hexdigest() == sha256), None)

    def downloads(self) -> list[Request]:
        return [r for r in self.requests if r.method == "GET" and r.path.startswith("/content/")]

    def close(self) -> None:
        self.stall.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


_INFO = re.compile(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?")
_REFS = re.compile(r"/api/models/([^/]+/[^/]+)/refs")
_TREE = re.compile(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/.*)?")
_RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(Request(self.command, path, dict(self.headers.items())))
            if hub.status is not None:
                self._send(hub.status)
            elif path.startswith("/content/"):
                self._content(path.removeprefix("/content/"))
            elif match := _REFS.fullmatch(path):
                self._refs(match[1])
            elif match := _TREE.fullmatch(path):
                self._tree(match[1], match[2])
            elif match := _RESOLVE.fullmatch(path):
                self._resolve(match[1], match[2], match[3])
            elif match := _INFO.fullmatch(path):
                self._info(match[1], match[2] or "main")
            else:
                self._send(404)

        def _allowed(self, name: str) -> Repo | None:
            repo = hub.repos.get(name)
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            if repo is None or (repo.private and token != repo.needs_token):
                self._error(401, "RepoNotFound", "Repository not found")
            elif repo.needs_token and token != repo.needs_token:
                self._error(403 if token else 401, "GatedRepo", f"Access to model {name} is restricted.")
            else:
                return repo
            return None

        def _commit(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
            repo = self._allowed(name)
            if repo is None:
                return None
            sha = repo.find(revision)
            if sha is None:
                self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
                return None
            return sha, repo.commits[sha]

        def _info(self, name: str, revision: str) -> None:
            if found := self._commit(name, revision):
                siblings = [{"rfilename": file} for file in found[1]]
                self._json({"id": name, "modelId": name, "sha": found[0], "siblings": siblings, "tags": []})

        def _refs(self, name: str) -> None:
            if repo := self._allowed(name):
                rows = [
                    {"name": r, "ref": f"refs/heads/{r}", "targetCommit": c} for r, c in repo.refs.items()
                ]
                self._json({"branches": rows, "converts": [], "tags": []})

        def _tree(self, name: str, revision: str) -> None:
            if found := self._commit(name, revision):
                rows = [
                    {
                        "type": "file",
                        "path": file,
                        "size": len(data),
                        "oid": hashlib.sha1(data).hexdigest(),
                        "lfs": {
                            "oid": hashlib.sha256(data).hexdigest(),
                            "size": len(data),
                            "pointerSize": 134,
                        },
                    }
                    for file, data in found[1].items()
                ]
                self._json(rows)

        def _resolve(self, name: str, revision: str, file: str) -> None:
            found = self._commit(name, revision)
            if found is None:
                return
            sha, files = found
            if file not in files:
                self._error(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": sha})
                return
            oid = hashlib.sha256(files[file]).hexdigest()
            headers = {
                "X-Repo-Commit": sha,
                "X-Linked-Etag": f'"{oid}"',
                "X-Linked-Size": str(len(files[file])),
                "Location": f"{hub.content_url}/content/{oid}",
            }
            self._send(302, headers=headers)

        def _content(self, oid: str) -> None:
            data = hub.blob(oid)
            if data is None:
                self._send(404)
                return
            if hub.tamper:
                data = bytes(len(data))
            start = 0
            if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
                start = int(match[1])
            headers = {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self._send(206 if start else 200, data[start:], headers)

        def _error(self, status: int, code: str, message: str, more: dict[str, str] | None = None) -> None:
            self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": message, **(more or {})})

        def _json(self, value: object) -> None:
            self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if body and "/content/" in self.path and hub.drop_after:
                body = body[: hub.drop_after.pop(0)]
                self.close_connection = True
            if "/content/" in self.path and not hub.stall.is_set():
                self.wfile.write(body[: len(body) // 2])
                body = body[len(body) // 2 :]
                hub.stall.wait(60)
            with contextlib.suppress(ConnectionError):  # the client may be gone by now
                self.wfile.write(body)

    return Handler
