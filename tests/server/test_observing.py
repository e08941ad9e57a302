"""Metrics, logs and request ids."""

from __future__ import annotations

import io
import json
import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families
from running import RunningServer, eventually

from rushlight.server.logs import JsonFormatter


def numbers(server: RunningServer) -> dict[tuple[str, ...], float]:
    text = server.http.get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_what_happens(tiny: RunningServer) -> None:
    before = numbers(tiny)
    for _ in range(2):
        body = {"prompt": "0123456789 " * 40, "max_tokens": 5, "ignore_eos": True}
        assert tiny.post("/v1/completions", body).status_code == 200
    assert tiny.post("/v1/completions", {"prompt": "a", "temperature": -1}).status_code == 400
    after = numbers(tiny)
    ids = tiny.llm.tokenize(body["prompt"])  # type: ignore[arg-type]

    def more(*name: str) -> float:
        return after[name] - before.get(name, 0)

    assert more("rushlight_generated_tokens_total") == 10
    assert more("rushlight_prompt_tokens_total") == 2 * len(ids)
    assert 0 < more("rushlight_prefix_hit_tokens_total") < len(ids)
    assert more("rushlight_sequences_finished_total", "length") == 2
    assert more("rushlight_requests_total", "/v1/completions", "200") == 2
    assert more("rushlight_requests_total", "/v1/completions", "400") == 1
    assert more("rushlight_errors_total", "out_of_range") == 1
    assert more("rushlight_time_to_first_token_seconds_count") == 2
    assert more("rushlight_time_per_output_token_seconds_count") == 2
    assert more("rushlight_request_seconds_count", "/v1/completions") == 3
    assert after["rushlight_sequences_running",] == after["rushlight_sequences_waiting",] == 0
    stats = tiny.llm.stats().blocks[0]
    assert after["rushlight_kv_blocks", "0", "used"] == 0
    assert sum(after["rushlight_kv_blocks", "0", state] for state in ("used", "kept", "free")) == stats.total


def test_metrics_show_what_runs(tiny: RunningServer) -> None:
    with tiny.http.stream(
        "POST",
        "/v1/completions",
        json={"prompt": "a", "stream": True, "max_tokens": 8000, "ignore_eos": True},
    ) as answer:
        lines = answer.iter_lines()
        next(lines)
        running = numbers(tiny)
    assert running["rushlight_sequences_running",] == 1
    assert running["rushlight_kv_blocks", "0", "used"] > 0
    eventually(lambda: numbers(tiny)["rushlight_sequences_running",] == 0)


def test_a_line_tells_of_a_request_and_not_its_words(
    tiny: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger, stream = logging.getLogger("rushlight.server"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    level, secret = logger.level, "my secret words"
    logger.setLevel(logging.INFO)
    try:
        body = {"prompt": secret, "max_tokens": 3, "ignore_eos": True}
        answer = tiny.post("/v1/completions", body, headers={"x-request-id": "my-id.1"})
        made = tiny.post("/v1/completions", {**body, "words": secret}, headers={"x-request-id": "bad id\x7f"})
        tiny.http.get("/health")
    finally:
        logger.setLevel(level)
    assert answer.headers["x-request-id"] == "my-id.1"
    assert made.headers["x-request-id"].startswith("req_")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (first["request_id"], first["status"], first["path"]) == ("my-id.1", 200, "/v1/completions")
    assert (first["completion_tokens"], first["finish_reasons"]) == ([3], ["length"])
    assert (second["request_id"], second["status"]) == (made.headers["x-request-id"], 400)
    assert second["code"] == "unknown_field"
    assert secret not in stream.getvalue()
