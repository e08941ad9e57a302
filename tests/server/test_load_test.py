"""The load test of ``benchmarks/``, in short; and that it finds what it is there to find."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from running import RunningServer

from benchmarks.load_test import LoadTest, _grown, run_load_test
from benchmarks.servers import Server
from rushlight.bench.serve.plan import Range

TEST = LoadTest(
    n_clients=24, seconds=3.0, n_requests=16, prompt=Range(2, 60), answer=Range(1, 40), leaves=0.3
)


def test_a_loaded_server_loses_nothing(tiny: RunningServer) -> None:
    found = run_load_test(Server("tiny", tiny.url), TEST)
    assert found["failures"] == []
    assert set(found["counts"]) == {"equal", "left"}


class Bad(BaseHTTPRequestHandler):
    """Answers like a server that counts its requests: the n-th answer of each is another one."""

    n_asked = 0
    used = 0
    breaks = False

    def do_GET(self) -> None:
        metrics = f"rushlight_sequences_running 0\nrushlight_sequences_waiting {self.used}\n"
        metrics += f'rushlight_kv_blocks{{group="0",state="used"}} {self.used}\n'
        self._begin()
        models = json.dumps({"data": [{"id": "bad"}]})
        self.wfile.write((metrics if self.path == "/metrics" else models).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Bad.n_asked += 1
        late = Bad.n_asked > 8
        self._begin()
        text = "late" if late and not self.breaks else "early"
        with suppress(ConnectionError):  # of clients that leave
            self._event({"choices": [{"text": text}]})
            if not (late and self.breaks):
                self._event({"choices": [{"finish_reason": "stop"}]})
                self.wfile.write(b"data: [DONE]\n\n")

    def _begin(self) -> None:
        self.send_response(200)
        self.end_headers()

    def _event(self, event: Any) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("benchmarks.load_test.SETTLE_SECONDS", 0.1)
    Bad.n_asked, Bad.used, Bad.breaks = 0, 0, False
    with ThreadingHTTPServer(("127.0.0.1", 0), Bad) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Server("bad", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


def test_words_that_change_are_found(bad: Server) -> None:
    found = run_load_test(bad, replace(TEST, n_clients=2, seconds=0.2, n_requests=8))
    assert any("'late', alone 'early'" in failure for failure in found["failures"])
    assert any("after the load" in failure for failure in found["failures"])
    assert "equal" not in found["counts"]


def test_answers_that_are_lost_are_found(bad: Server) -> None:
    Bad.breaks = True
    found = run_load_test(bad, replace(TEST, n_clients=2, seconds=0.2, n_requests=8))
    assert any("failed: the stream broke off" in failure for failure in found["failures"])
    assert any("after the load: A request alone failed" in failure for failure in found["failures"])


def test_blocks_that_stay_are_found(bad: Server) -> None:
    Bad.used = 3
    found = run_load_test(bad, replace(TEST, n_clients=2, seconds=0.2, n_requests=8))
    (told,) = (failure for failure in found["failures"] if "there are still" in failure)
    assert 'rushlight_kv_blocks{"group": "0", "state": "used"}\': 3' in told


def test_memory_that_grows_is_found() -> None:
    mib = 2**20
    assert list(_grown([None] * 60)) == [] and list(_grown([i * 100 * mib for i in range(12)])) == []
    assert list(_grown([500 * mib] * 20 + [900 * mib] * 40)) == []
    (told,) = _grown([(500 + 4 * i) * mib for i in range(60)])
    assert told.startswith("memory grew from 656 to 736 MiB")
