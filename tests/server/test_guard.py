"""Who may ask, and how much: hosts, origins, keys, bodies; nothing of a request touches the file system."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from running import RunningServer, serving_llm

from rushlight.errors import InvalidParameter
from rushlight.server.guard import KeyGuard
from rushlight.server.options import ServerOptions

BODY = {"prompt": "a", "max_tokens": 1}
PAGE = "http://evil.example"


@pytest.fixture(scope="module")
def guarded(tiny: RunningServer) -> Iterator[RunningServer]:
    options: dict[str, Any] = {
        "api_keys": ("first-key", "second-key"),
        "cors_origins": ("https://friend.example",),
        "allowed_hosts": ("box.local",),
        "max_body_bytes": 2000,
    }
    with serving_llm(tiny.llm, **options) as server:
        yield server


def test_others_reach_a_server_only_with_a_key_or_when_told_so() -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        assert ServerOptions(host=host).is_loopback
    for host in ("0.0.0.0", "::", "192.168.1.2", "box.local"):
        with pytest.raises(InvalidParameter, match="without an API key"):
            ServerOptions(host=host)
        assert ServerOptions(host=host, api_keys=("k",)) and ServerOptions(host=host, allow_no_key=True)
    for bad in (
        {"api_keys": ("",)},
        {"api_keys": ("ké",)},
        {"port": 70000},
        {"model_names": ()},
        {"n_queue": -1},
    ):
        with pytest.raises(InvalidParameter):
            ServerOptions(**bad)  # type: ignore[arg-type]


def test_one_of_the_keys_is_needed(guarded: RunningServer) -> None:
    for headers in (
        {"Authorization": "Bearer first-key"},
        {"Authorization": "bearer second-key"},
        {"x-api-key": "second-key"},
    ):
        assert guarded.post("/v1/completions", BODY, headers=headers).status_code == 200
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer first-ke"},
        {"Authorization": "Bearer first-key2"},
        {"Authorization": "Basic first-key"},
        {"Authorization": "first-key"},
        {"x-api-key": ""},
        {"x-api-key": "ké".encode()},
    ):
        answer = guarded.post("/v1/completions", BODY, headers=headers)
        assert answer.status_code == 401, headers
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert "first-key" not in answer.text
    for path in ("/v1/models", "/metrics", "/tokenize", "/v1/nothing", "/nothing"):
        assert guarded.http.get(path).status_code == 401
    for path in ("/health", "/ready", "/openapi.json"):
        assert guarded.http.get(path).status_code == 200
    with openai.OpenAI(base_url=guarded.v1, api_key="first-key", max_retries=0) as client:
        assert client.models.list().data
    with (
        openai.OpenAI(base_url=guarded.v1, api_key="no", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


def test_all_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(
        "rushlight.server.guard.hmac.compare_digest", lambda a, b: compared.append((a, b)) or a == b
    )
    assert KeyGuard(None, ["a", "b", "c"])._knows("a")  # type: ignore[arg-type]
    assert len(compared) == 3 and all(len(a) == len(b) == 32 for a, b in compared)


def test_only_names_of_this_machine_are_answered(tiny: RunningServer, guarded: RunningServer) -> None:
    for host in (
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "",
        "localhost@evil",
        "[::1].evil",
    ):
        answer = tiny.http.get("/health", headers={"Host": host})
        assert answer.status_code == 403, host
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:8080", "[::1]"):
        assert tiny.http.get("/health", headers={"Host": host}).status_code == 200, host
    assert tiny.http.get("/health", headers={"Host": "box.local"}).status_code == 403
    assert guarded.http.get("/health", headers={"Host": "box.local:8080"}).status_code == 200


def test_pages_of_other_origins_are_refused(tiny: RunningServer, guarded: RunningServer) -> None:
    for origin in (PAGE, "null", "https://localhost", "http://localhost:1", "file://", ""):
        answer = tiny.post("/v1/completions", BODY, headers={"Origin": origin})
        assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
        asking = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert tiny.http.options("/v1/completions", headers=asking).status_code == 403
    assert tiny.post("/v1/completions", BODY, headers={"Origin": tiny.url}).status_code == 200
    friend = {"Origin": "https://friend.example"}
    asking = {
        **friend,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = guarded.http.options("/v1/completions", headers=asking)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://friend.example"
    key = {"Authorization": "Bearer first-key"}
    answer = guarded.post("/v1/completions", BODY, headers={**friend, **key})
    assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    no_key = guarded.post("/v1/completions", BODY, headers=friend)
    assert no_key.status_code == 401 and "access-control-allow-origin" in no_key.headers
    assert guarded.post("/v1/completions", BODY, headers={"Origin": PAGE, **key}).status_code == 403


def test_bodies_are_json_in_utf_8_and_not_too_large(tiny: RunningServer, guarded: RunningServer) -> None:
    key = {"Authorization": "Bearer first-key", "Content-Type": "application/json"}
    large = b'{"prompt": "' + b"a" * 2000 + b'"}'

    def parts() -> Iterator[bytes]:
        yield from (large[:1500], large[1500:])

    for content in (large, parts()):
        answer = guarded.http.post("/v1/completions", content=content, headers=key)
        assert answer.status_code == 413
    for depth in range(850, 1000, 3):
        deep = b'{"prompt": "a", "json_schema": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        assert tiny.http.post("/v1/completions", content=deep, headers=key).status_code == 400
    for content in (
        b"",
        b"{",
        b"\xff\xfe",
        b'"text"',
        b"[]",
        b"null",
        b'{"prompt": NaN}',
        b'{"prompt": "a", "temperature": Infinity}',
        b'{"prompt": "a", "temperature": 1e999}',
        b'{"prompt": "\\ud800"}',
        b"[" * 100_000,
        b'{"prompt": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"prompt": "a", "logit_bias": {' + b", ".join(b'"%d": 1' % i for i in range(1025)) + b"}}",
        b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}",
        b'{"prompt": "a", "temperature": 1' + b"0" * 400 + b"}",
    ):
        answer = tiny.http.post("/v1/completions", content=content, headers=key)
        assert answer.status_code == 400, (content[:40], answer.text)
        assert answer.json()["error"]["message"]
    assert tiny.http.post(
        "/v1/completions", content=b'{"prompt":"\\ud83c\\udfd2","max_tokens":1}', headers=key
    )
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = tiny.http.post("/v1/completions", content=b'{"prompt": "a"}', headers={"Content-Type": kind})
        assert answer.status_code == 415
    assert tiny.http.get("/v1/completions").status_code == 405
    assert tiny.http.get("/v1/nothing").json()["error"]["message"].startswith("GET /v1/nothing")


def test_no_path_or_name_of_a_request_reaches_the_file_system(
    tiny: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[Any] = []
    for name in ("open", "stat", "listdir", "scandir"):
        plain = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, plain=plain, **k: touched.append(a) or plain(*a, **k))
    monkeypatch.setattr("builtins.open", lambda *a, **k: touched.append(a))
    for path in (
        "/web/../options.py",
        "/web/%2e%2e/options.py",
        "/web//etc/passwd",
        "/web/..%2f..%2fllm.py",
        "/web/%00",
        "/v1/models/..%2f..%2fetc%2fpasswd",
    ):
        assert tiny.http.get(path).status_code == 404, path
    assert tiny.post("/v1/completions", {**BODY, "model": "/etc/passwd"}).status_code == 404
    assert not touched


def test_malformed_http_is_refused(tiny: RunningServer) -> None:
    address = httpx.URL(tiny.url)
    for raw in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: " + b"b" * 200_000,
    ):
        with socket.create_connection((address.host, address.port), 10) as connection:
            connection.sendall(raw)
            assert connection.recv(100).startswith(b"HTTP/1.1 4")
    assert tiny.http.get("/health").status_code == 200
