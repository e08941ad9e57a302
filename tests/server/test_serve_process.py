"""``rushlight serve`` as a process: its options, its signals, its end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from running import TINY

SERVE = [sys.executable, "-m", "rushlight", "serve", "-m"]
MODEL = TINY / "llama-mix.gguf"


@contextmanager
def process(*options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A server process, its address, and the lines that it writes afterwards."""
    command = [
        sys.executable,
        "-m",
        "rushlight",
        "serve",
        "-m",
        str(MODEL),
        "-c",
        "8192",
        "--port",
        "0",
        *options,
    ]
    run = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, encoding="utf-8", env={**os.environ, **environment}
    )
    assert run.stderr is not None
    lines: list[str] = []
    try:
        for line in run.stderr:
            if found := re.search(r"http://\S+:\d+", line):
                break
            lines.append(line)
        else:
            raise AssertionError(lines)
        reader = threading.Thread(target=lambda: lines.extend(run.stderr or ()))
        reader.start()
        yield run, found[0], lines
        run.wait(20)
        reader.join(20)
    finally:
        run.kill()
        run.wait()
        run.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("kind", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_lets_running_requests_end(kind: signal.Signals, code: int) -> None:
    body = {"prompt": "a", "max_tokens": 1200, "ignore_eos": True, "stream": True, "model": "llama-mix"}
    with process(RUSHLIGHT_API_KEY="secret") as (run, url, lines):
        with httpx.Client(base_url=url, headers={"Authorization": "Bearer secret"}, timeout=20) as client:
            with client.stream("POST", "/v1/completions", json=body) as answer:
                found = answer.iter_lines()
                next(found)
                run.send_signal(kind)
                assert [line for line in found if line][-1] == "data: [DONE]"
            assert answer.status_code == httpx.codes.OK
        assert run.wait(20) == code
    assert any('"stopped"' in line for line in lines) and not any("Traceback" in line for line in lines)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_second_signal_ends_at_once() -> None:
    body = {"prompt": "a", "max_tokens": 8000, "ignore_eos": True, "stream": True}
    with process("--alias", "other") as (run, url, lines):
        with (
            httpx.Client(base_url=url, timeout=20) as client,
            client.stream("POST", "/v1/completions", json=body) as answer,
        ):
            found = answer.iter_lines()
            next(found)
            run.send_signal(signal.SIGINT)
            while not any("stopping" in line for line in lines):
                pass
            run.send_signal(signal.SIGINT)
            assert "server_stopped" in [line for line in found if line][-1]
        assert run.wait(20) == 130
    assert not any("Traceback" in line for line in lines), lines


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--host", "0.0.0.0"], 2, "without an API key"),
        (["--port", "99999"], 2, "port is 99999"),
        (["--api-key-file", "none.txt"], 1, "none.txt"),
    ],
)
def test_bad_options_are_refused_before_the_model_is_loaded(
    options: list[str], code: int, message: str, tmp_path: Path
) -> None:
    run = subprocess.run(
        [*SERVE, "missing.gguf", *options],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert run.returncode == code and message in run.stderr, run.stderr


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = subprocess.run(
            [*SERVE, str(MODEL), "--port", port], check=False, capture_output=True, text=True, timeout=60
        )
    assert run.returncode == 1 and "in use" in run.stderr, run.stderr
