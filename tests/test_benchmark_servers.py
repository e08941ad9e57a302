"""Benchmarks of servers without timing anything: what they are asked, how they start, and their table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.benchmark_rows import row

from benchmarks.process import PeerError
from benchmarks.report import page
from benchmarks.servers import Server, limited, llama_command, started
from benchmarks.serving import LlamaServe, RushlightServe, load_plan
from benchmarks.summary import Summary
from benchmarks.tables import serve_table
from benchmarks.workload import workloads


def test_servers_are_asked_the_same() -> None:
    (one, *_, many) = workloads("serve", (1, 2), False)
    assert (one.sequences, many.sequences, many.threads) == (1, 64, 2)
    plan = load_plan(many)
    assert (plan.n_requests, plan.n_in_flight, plan.rate) == (136, 64, None)
    assert (plan.prompt, plan.answer) == ((32, 512), (16, 128))
    assert [r.prompt for r in plan.requests()] == [r.prompt for r in load_plan(many).requests()]
    llama = LlamaServe("llama.cpp", Path("l"))
    assert llama.variants(many) == ("-np 4", "-np 64") and llama.variants(one) == ("-np 4", "-np 1")
    assert RushlightServe().variants(one) == ("",)
    assert RushlightServe().variants(many) == ("", "--parallel 64")
    command = llama_command(Path("l"), Path("m"), 1, 2, 1024, 64)
    assert command[command.index("-c") + 1] == "65536" and "127.0.0.1" in command


def test_a_server_that_does_not_start_says_why() -> None:
    with (
        pytest.raises(PeerError, match="ended with code 3 before"),
        started("x", [sys.executable, "-c", "exit(3)"], 1),
    ):
        pass
    with pytest.raises(PeerError, match="cannot be started"), started("x", ["/no/such/program"], 1):
        pass


def test_a_server_that_takes_too_long_is_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        with limited(Server("x", "http://127.0.0.1:1", process.pid), 0.1):
            assert process.wait(30) < 0
        with limited(Server("x", "http://127.0.0.1:1", process.pid), 60):
            pass  # it is gone, and nobody is ended later


def test_the_table_of_servers() -> None:
    def served(engine: str, **found: float) -> dict[str, Any]:
        return {**row(engine, 0, **found), "part": "serve", "sequences": 4}

    times = {f"{name}_{p}": 0.25 for name in ("first_token", "per_token") for p in ("p50", "p90", "p99")}
    rows = [
        served("rushlight", answers=300.0, **times),
        served("llama.cpp", answers=150.0),
        served("x", error="fell"),
    ]
    lines = serve_table(Summary(rows), "serve").splitlines()
    assert "| 4 | rushlight | 300 | 250 / 250 / 250 | 250 / 250 / 250 |" in lines
    assert "| 4 | llama.cpp | 150 (2.00x) | - / - / - | - / - / - |" in lines
    assert any(line.startswith("| 4 | x | cannot |") for line in lines)
    assert "## Many clients of one server" in page(Summary(rows))
