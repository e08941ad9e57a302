"""Many at once: the queue, time limits, clients that go away, draining, and the same words throughout."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from running import TINY, RunningServer, eventually, serving, serving_llm

from rushlight import EngineOptions, SamplingParams
from rushlight.engine.stride import MOST_STEPS

ENDLESS = {"prompt": "abc", "max_tokens": 8000, "ignore_eos": True, "stream": True}


def test_words_depend_on_the_seed_alone_whatever_else_runs(tiny: RunningServer) -> None:
    def body(i: int) -> dict[str, Any]:
        return {
            "prompt": f"request {i % 5} " * (1 + i % 7),
            "seed": i,
            "max_tokens": 12 + i % 9,
            "ignore_eos": True,
        }

    alone = [
        tiny.llm.generate(
            body(i)["prompt"], SamplingParams(seed=i, max_tokens=body(i)["max_tokens"], ignore_eos=True)
        ).text
        for i in range(24)
    ]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: tiny.post("/v1/completions", body(i)).json(), range(24)))
    assert [answer["choices"][0]["text"] for answer in answers] == alone
    assert [answer["choices"][0]["seed"] for answer in answers] == list(range(24))


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_frees_its_sequence(tiny: RunningServer, stream: bool) -> None:
    steps = tiny.llm.stats().finished["abort"]
    with httpx.Client(base_url=tiny.url) as client:
        body = {**ENDLESS, "n": 3, "stream": stream}
        if stream:
            with client.stream("POST", "/v1/completions", json=body) as answer:
                lines = answer.iter_lines()
                next(lines)
        else:
            with pytest.raises(httpx.ReadTimeout):
                client.post("/v1/completions", json=body, timeout=httpx.Timeout(30, read=0.3))
    eventually(lambda: tiny.sequences() == 0 and tiny.admission.n_inside == 0)
    assert tiny.llm.stats().finished["abort"] == steps + 3


def test_a_disconnect_ends_the_sequence_within_a_call(
    tiny: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tiny.llm._driver
    abort, aborting, seen = driver.abort, threading.Event(), []

    def spy(sequence: Any) -> None:
        abort(sequence)
        seen.append((sequence, sequence.n_generated))
        aborting.set()

    monkeypatch.setattr(driver, "abort", spy)
    with httpx.Client(base_url=tiny.url) as client:
        with client.stream("POST", "/v1/completions", json=ENDLESS) as answer:
            lines = answer.iter_lines()
            next(lines)
        assert aborting.wait(10)
    sequence, n_generated = seen[0]
    eventually(lambda: sequence.finish_reason == "abort")
    # The call that was under way ended behind its step, but had some behind it already.
    assert sequence.n_generated <= n_generated + MOST_STEPS
    assert tiny.llm.stats().blocks[0].used == 0


def test_the_queue_is_bounded() -> None:
    with (
        serving(
            TINY / "llama-mix.gguf", n_ctx=8192, engine=EngineOptions(n_sequences=1), n_queue=1
        ) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        with (
            client.stream("POST", "/v1/completions", json=ENDLESS) as running,
            client.stream("POST", "/v1/completions", json=ENDLESS),
        ):
            lines = running.iter_lines()
            next(lines)
            full = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]})
            assert full.status_code == 429
            assert 1 <= int(full.headers["retry-after"]) <= 60
            assert full.json()["error"]["code"] == "queue_full"
            assert server.http.get("/ready").status_code == 503
            assert server.http.get("/health").status_code == 200
        eventually(lambda: server.admission.n_inside == 0)
        assert server.http.get("/ready").status_code == 200
        assert server.post("/v1/completions", {"prompt": "a", "max_tokens": 2}).status_code == 200
        assert server.post("/v1/completions", {"prompt": "a", "n": 3}).status_code == 400


def test_a_request_may_take_so_long_and_no_longer(tiny: RunningServer) -> None:
    for seconds in (0.2, 0.05):
        late = tiny.post("/v1/completions", {**ENDLESS, "stream": False, "timeout": seconds})
        assert (late.status_code, late.json()["error"]["code"]) == (504, "timeout")
    lines = tiny.post("/v1/completions", {**ENDLESS, "timeout": 0.2}).text.split("\n\n")
    assert json.loads(lines[-2].removeprefix("data: "))["error"]["code"] == "timeout"
    eventually(lambda: tiny.sequences() == 0)


def test_stopping_lets_running_requests_end(tiny: RunningServer) -> None:
    with serving_llm(tiny.llm) as server, httpx.Client(base_url=server.url, timeout=20) as client:
        body = {**ENDLESS, "max_tokens": 1500}
        with client.stream("POST", "/v1/completions", json=body) as answer:
            lines = answer.iter_lines()
            next(lines)
            server.server.stop()
            eventually(lambda: server.admission.draining)
            with pytest.raises(httpx.ConnectError):
                eventually(lambda: httpx.get(server.url + "/health").status_code != 200)
                httpx.get(server.url + "/health")
            rest = [line for line in lines if line]
        assert rest[-1] == "data: [DONE]"
        assert '"finish_reason":"length"' in rest[-2]


def test_stopping_waits_no_longer_than_it_may(tiny: RunningServer) -> None:
    with (
        serving_llm(tiny.llm, drain_seconds=0.3) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
        client.stream("POST", "/v1/completions", json=ENDLESS) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        stopped = time.monotonic()
        server.server.stop()
        rest = [line for line in lines if line]
        assert "server_stopped" in rest[-1]
        assert time.monotonic() - stopped < 20
    eventually(lambda: tiny.sequences() == 0)


def test_a_slow_reader_delays_nobody(tiny: RunningServer) -> None:
    with tiny.http.stream("POST", "/v1/completions", json={**ENDLESS, "n": 4}) as slow:
        lines = slow.iter_lines()
        next(lines)
        quick = tiny.post("/v1/completions", {"prompt": "a", "max_tokens": 5})
        assert quick.status_code == 200


def test_silent_streams_are_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushlight.server.sse._KEEP_ALIVE_SECONDS", 0.02)
    with (
        serving(TINY / "llama-mix.gguf", n_ctx=8192, engine=EngineOptions(n_sequences=1)) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
        client.stream("POST", "/v1/completions", json=ENDLESS) as running,
    ):
        lines = running.iter_lines()
        next(lines)
        with client.stream("POST", "/v1/completions", json=ENDLESS) as waiting:
            more = waiting.iter_lines()
            assert [next(more) for _ in range(3)] == [": keep-alive", "", ": keep-alive"]


def test_a_body_may_not_take_forever(tiny: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushlight.server.body._SECONDS", 0.1)
    address = httpx.URL(tiny.url)
    head = f"POST /tokenize HTTP/1.1\r\nHost: {address.host}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((address.host, address.port or 0), 10) as connection:
        connection.sendall(f"{head}Content-Length: 20\r\n\r\n{{".encode())
        assert b" 408 " in connection.recv(1000)


@pytest.mark.parametrize("stream", [True, False])
def test_choices_share_the_work_of_their_prompt(tiny: RunningServer, stream: bool) -> None:
    body = {"prompt": f"{stream} abcdefgh " * 30, "n": 5, "seed": 3, "max_tokens": 4, "ignore_eos": True}
    before = tiny.llm.stats()
    answer = tiny.post("/v1/completions", {**body, "stream": stream})
    after = tiny.llm.stats()
    assert answer.status_code == 200
    n_prompt = len(tiny.llm.tokenize(str(body["prompt"])))
    assert after.prompt_tokens - before.prompt_tokens == 5 * n_prompt
    assert after.cached_tokens - before.cached_tokens > 3 * n_prompt
