"""``rushlight bench serve``: what it asks, and what it makes of answers, good and bad."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import mean
from typing import Any

import pytest

from rushlight.bench.serve import LoadPlan, LoadResult, run_load
from rushlight.bench.serve.api import Api
from rushlight.bench.serve.plan import Range
from rushlight.bench.serve.reply import Reply
from rushlight.bench.serve.result import percentiles
from rushlight.cli import main
from rushlight.cli.bench_serve import findings
from rushlight.errors import InvalidParameter, ServerFailure

Captured = pytest.CaptureFixture[str]
FIRST, STEP = 0.08, 0.02


class Fake(BaseHTTPRequestHandler):
    """Answers with as many words as `max_tokens`; the model's name says what goes wrong."""

    asked: list[dict[str, Any]]
    n_running = most_running = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": "good"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == "Bearer secret"
        with self.lock:
            Fake.asked.append({"path": self.path, **body})
            Fake.n_running += 1
            Fake.most_running = max(Fake.most_running, Fake.n_running)
        try:
            self._answer(body)
        finally:
            with self.lock:
                Fake.n_running -= 1

    def _answer(self, body: dict[str, Any]) -> None:
        kind = body["model"]
        if kind == "full":
            return self._send(429, {"error": {"message": "the queue is full", "type": "x"}})
        if kind == "text":
            return self._send(500, None)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b": a comment\n\n")
        if kind == "silent":
            time.sleep(1)
        time.sleep(FIRST)
        chat = "messages" in body
        if chat:
            self._event({"choices": [{"delta": {"role": "assistant"}}]})
        for i in range(body["max_tokens"]):
            if i and kind == "broken":
                return None
            if i and kind == "wrong":
                return self._event({"error": {"message": "out of memory"}})
            if kind == "garbage":
                self.wfile.write(b"data: {\n\n")
            thinks = "reasoning_content" if i == 0 else "content"
            self._event({"choices": [{"delta": {thinks: "w "}} if chat else {"text": "w "}]})
            time.sleep(STEP)
        ends = [{"delta": {}, "finish_reason": None if kind == "endless" else "length"}]
        usage = {"prompt_tokens": 7, "completion_tokens": body["max_tokens"]}
        self._event({"choices": ends})
        self._event({"choices": [], "usage": {**usage, "prompt_tokens_details": {"cached_tokens": 3}}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\r\n\r\n".encode())

    def _send(self, status: int, answer: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"no JSON" if answer is None else json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Fake.asked, Fake.most_running = [], 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Fake) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


SMALL = LoadPlan(n_requests=6, concurrency=3, prompt=Range(2, 4), answer=Range(3, 3), seed=5)


def test_what_is_asked_is_drawn_from_the_seed() -> None:
    plan = LoadPlan(n_requests=3000, rate=20.0, prompt=Range(4, 64), answer=Range(1, 8), seed=3)
    requests = plan.requests()
    assert requests == plan.requests() != replace(plan, seed=4).requests()
    due = [request.due for request in requests]
    gaps = [b - a for a, b in zip([0.0, *due], due, strict=False)]
    # Exponential: the mean is 1 / rate, and a part of e^-1 is longer than the mean.
    assert min(gaps) > 0 and mean(gaps) == pytest.approx(1 / 20, rel=0.1)
    assert mean(gap > 1 / 20 for gap in gaps) == pytest.approx(0.368, abs=0.03)
    lengths = [len(request.prompt.split()) for request in requests]
    assert (min(lengths), max(lengths)) == (4, 64)
    # Evenly on a logarithmic scale: as many from 4 to 15 as from 16 to 64, nearly.
    assert mean(length < 16 for length in lengths) == pytest.approx(0.5, abs=0.05)
    assert {request.n_answer for request in requests} == set(range(1, 9))
    assert len({request.prompt for request in requests}) == 3000


@pytest.mark.parametrize("chat", [True, False])
def test_a_load_is_asked_and_timed(url: str, chat: bool) -> None:
    plan = replace(SMALL, chat=chat)
    result = run_load(url, plan, key="secret")
    assert result.model == "good" and not result.errors
    # One whose answer has arrived may still be counted when the next begins.
    assert 1 < Fake.most_running < len(result.replies) == 6
    for reply in result.replies:
        assert (reply.text, reply.finish_reason) == ("w w w ", "length")
        assert (reply.n_prompt, reply.n_cached, reply.n_answer) == (7, 3, 3)
        assert reply.time_to_first_token is not None and FIRST < reply.time_to_first_token < FIRST + 20
        assert reply.time_per_output_token is not None and 0 <= reply.time_per_output_token < STEP + 10
    prompts = {(request.prompt, request.n_answer, request.seed) for request in plan.requests()}
    asked = {
        (body["messages"][0]["content"] if chat else body["prompt"], body["max_tokens"], body["seed"])
        for body in Fake.asked
    }
    assert asked == prompts and {body["path"] for body in Fake.asked} == {plan.path}
    found = result.as_dict()
    assert (found["done"], found["answer_tokens"], found["cached_tokens"]) == (6, 18, 18)
    assert found["answer_tokens_per_second"] == pytest.approx(18 / result.seconds)
    assert result.seconds > 2 * FIRST


def test_requests_of_a_rate_wait_for_their_time_and_for_nothing_else(url: str) -> None:
    plan = replace(SMALL, n_requests=12, rate=100.0, concurrency=None)
    result = run_load(f"{url}/v1/", plan, key="secret")
    due = [request.due for request in plan.requests()]
    measured = [reply.due - result.replies[0].due + due[0] for reply in result.replies]
    assert measured == pytest.approx(due, abs=1e-6)
    assert (plan.n_in_flight, SMALL.n_in_flight) == (12, 3) and Fake.most_running > 1
    narrow = run_load(url, replace(plan, concurrency=1), key="secret")
    waits = [reply.time_to_first_token for reply in narrow.replies]
    # What waits on this side has waited: the last one for eleven others.
    assert waits[-1] is not None and waits[-1] > 11 * FIRST


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("full", "HTTP 429: the queue is full"),
        ("text", "HTTP 500: no JSON"),
        ("broken", "the stream broke off"),
        ("wrong", "out of memory"),
        ("garbage", "an event is not JSON"),
        ("endless", "the answer has no finish_reason"),
        ("silent", "no word from the server in time"),
    ],
)
def test_what_fails_is_counted_by_its_reason(url: str, model: str, error: str, capsys: Captured) -> None:
    timeout = 0.5 if model == "silent" else 20.0
    result = run_load(url, replace(SMALL, timeout=timeout), model=model, key="secret")
    assert result.errors == {error: 6} and result.done == []
    assert f"6 x {error}" in findings(result)
    assert result.as_dict()["time_to_first_token"]["p50"] is None


def test_percentiles() -> None:
    values = [float(i) for i in range(101)]
    assert percentiles(values[::-1]) == {"mean": 50.0, "p50": 50.0, "p90": 90.0, "p99": 99.0}
    replies = [Reply("", "stop", 1, 0, n, 10.0, 10.5, 12.5) for n in (1, 5)]
    result = LoadResult("u", "m", LoadPlan(n_requests=2), replies, 2.0)
    assert result.latencies() == {
        "time_to_first_token": [0.5, 0.5], "time_per_output_token": [0.5], "request": [2.5, 2.5],
    }  # fmt: skip
    lines = findings(result).splitlines()
    assert lines[-4].split() == ["milliseconds", "mean", "p50", "p90", "p99"]
    assert lines[-2].split() == ["time", "per", "output", "token", *["500.0"] * 4]
    assert "answers   6 tokens, 3.0 tokens/s" in lines


def test_the_command(url: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    size = ["--n", "4", "--prompt", "2:3", "--answer", "2", "--concurrency", "4"]
    assert main(["bench", "serve", "--url", url, *size, "--api-key", "secret"]) == 0
    assert "requests  4 of 4 in" in capsys.readouterr().out
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    flags = ["--completions", "--allow-eos", "--temperature", "0", "--json"]
    assert main(["bench", "serve", "--url", url, *size, *flags]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["plan"]["prompt"], found["done"]) == ([2, 3], 4)
    assert Fake.asked[-1]["temperature"] == 0 and "ignore_eos" not in Fake.asked[-1]
    assert main(["bench", "serve", "--url", url, *size, "-m", "full"]) == 1
    assert "4 x HTTP 429" in capsys.readouterr().out
    assert main(["bench", "serve", "--url", "http://127.0.0.1:1"]) == 1
    assert "cannot be asked: Connection refused" in capsys.readouterr().err
    for wrong in (["--n", "0"], ["--rate", "0"], ["--rate", "nan"], ["--prompt", "x"], ["--answer", "3:2"]):
        assert main(["bench", "serve", *wrong]) == 2
    assert main(["bench", "--help"]) == 0  # the command beside it is what it was
    assert "--n-prompt" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://", "http://x:99999", ""])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidParameter, match="The URL is"):
        Api(url)


def test_a_closed_stream_closes_its_connection(url: str) -> None:
    api = Api(url, key="secret")
    events = api.stream("/v1/completions", {"model": "good", "max_tokens": 1000})
    next(events)
    events.close()
    for _ in range(500):
        if not Fake.n_running:
            break
        time.sleep(0.01)
    assert not Fake.n_running
    with pytest.raises(ServerFailure, match="Connection refused"):
        Api("http://127.0.0.1:1").models()
