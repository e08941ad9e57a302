"""Load a server with clients that know every answer, while some go away: ``python -m benchmarks.load_test``.

Every answer must be equal to what the same request gives alone, none may be lost, all blocks of the KV cache
must come back, and memory must stay flat. The exit code is 1 if one of these fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.load_clients import Clients
from benchmarks.load_requests import KnownRequest, ask_alone, draw_bodies
from benchmarks.rounds import note
from benchmarks.servers import Server, free_port, rushlight_command, started
from rushlight.bench.serve.api import Api
from rushlight.bench.serve.plan import Range
from rushlight.bench.serve.result import percentiles
from rushlight.errors import ServerFailure
from rushlight.hub import resolve

SETTLE_SECONDS = 20.0
GROWTH_SHARE, GROWTH_BYTES = 0.02, 16 << 20
"""How much more memory than in the middle third of the time the last third may take."""


@dataclass(frozen=True, kw_only=True)
class LoadTest:
    """How much, and how long.

    Attributes:
        n_clients: that ask at once.
        seconds: in which requests begin.
        n_requests: different requests.
        prompt, answer: their words and tokens.
        leaves: the part of the requests whose client goes away.
        seed: of what is drawn.
    """

    n_clients: int = 64
    seconds: float = 600.0
    n_requests: int = 96
    prompt: Range = Range(4, 400)  # noqa: RUF009  # a tuple
    answer: Range = Range(1, 160)  # noqa: RUF009
    leaves: float = 0.2
    seed: int = 0


def run_load_test(server: Server, test: LoadTest) -> dict[str, Any]:
    """Load a server; "failures" of what is returned says in words what did not hold.

    Raises:
        ServerFailure: it does not answer even when nothing else runs.
    """
    api = Api(server.url, timeout=120.0)
    bodies = draw_bodies(test.n_requests, test.seed, test.prompt, test.answer, api.models()[0])
    known = ask_alone(api, bodies, lambda n: note(f"alone: {n} of {len(bodies)}"))
    clients = Clients(server.url, known, n_clients=test.n_clients, leaves=test.leaves, seed=test.seed)
    began = time.monotonic()
    clients.start(test.seconds)
    memory: list[int | None] = []
    while (passed := time.monotonic() - began) < test.seconds:
        memory.append(server.resident_bytes())
        note(f"{passed:.0f} s: {dict(clients.findings.counts)}, {(memory[-1] or 0) / 2**20:.0f} MiB")
        time.sleep(min(test.seconds / 60, test.seconds - passed))
    findings = clients.join()
    seconds = time.monotonic() - began
    left = _settled(api)
    n_tokens = sum(reply.n_answer for reply in findings.replies)
    first = [s for reply in findings.replies if (s := reply.time_to_first_token) is not None]
    failures = [*findings.told, *left, *_changed(api, known[:8]), *_grown(memory)]
    if not findings.counts["equal"] or not findings.counts["left"]:
        failures.append("too little time: no whole answer, or nobody went away")
    return {
        "test": asdict(test),
        "server": server.name,
        "seconds": seconds,
        "counts": dict(findings.counts),
        "answer_tokens_per_second": n_tokens / seconds,
        "time_to_first_token": percentiles(first),
        "resident_bytes": memory,
        "failures": failures,
    }


def _settled(api: Api) -> list[str]:
    """What sequences and blocks are left when all clients are gone."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        left = {
            f"{sample.name}{json.dumps(sample.labels) if sample.labels else ''}": int(sample.value)
            for family in text_string_to_metric_families(api.get("/metrics"))
            for sample in family.samples
            if sample.name in {"rushlight_sequences_running", "rushlight_sequences_waiting"}
            or (sample.name == "rushlight_kv_blocks" and sample.labels["state"] == "used")
        }
        if len(left) >= 3 and not any(left.values()):
            return []
        if time.monotonic() > end:
            return [f"{SETTLE_SECONDS:.0f} s after the load there are still {left}"]
        time.sleep(0.05)


def _changed(api: Api, known: list[KnownRequest]) -> Iterator[str]:
    """What requests that are alone again get other than before."""
    try:
        again = ask_alone(api, [(request.path, request.body) for request in known], lambda n: None)
    except ServerFailure as failure:
        yield f"after the load: {failure}"
        return
    if any(now.alone.text != before.alone.text for now, before in zip(again, known, strict=True)):
        yield "after the load, a request alone got other words"


def _grown(memory: list[int | None]) -> Iterator[str]:
    """That memory has grown, where it is known at enough moments."""
    known = [size for size in memory if size is not None]
    third = len(known) // 3
    if third < 5:
        return
    middle, last = max(known[third : 2 * third]), max(known[2 * third :])
    if last > middle * (1 + GROWTH_SHARE) + GROWTH_BYTES:
        yield f"memory grew from {middle / 2**20:.0f} to {last / 2**20:.0f} MiB in the last third of the time"


@contextmanager
def _server(args: argparse.Namespace) -> Iterator[Server]:
    if args.url:
        yield Server("given", args.url)
        return
    port = free_port()
    command = rushlight_command(resolve(args.model).path, port, args.threads, args.ctx)
    with started("rushlight", command, port) as server:
        yield server


def main() -> int:
    """Test the server that is given, or one of our own."""
    defaults = LoadTest()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load_test", description=__doc__)
    parser.add_argument("--url", help="a server that runs; by default one is started")
    parser.add_argument("--model", default="smollm2", help="of the server that is started")
    parser.add_argument("--threads", type=int, help="of the server that is started")
    parser.add_argument("--ctx", type=int, default=2048, help="of the server that is started")
    parser.add_argument("--clients", type=int, default=defaults.n_clients)
    parser.add_argument("--seconds", type=float, default=defaults.seconds)
    parser.add_argument("--requests", type=int, default=defaults.n_requests, help="different ones")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--output", type=Path, help="a file for the findings as JSON")
    args = parser.parse_args()
    test = LoadTest(n_clients=args.clients, seconds=args.seconds, n_requests=args.requests, seed=args.seed)
    with _server(args) as server:
        found = run_load_test(server, test)
    if args.output:
        args.output.write_text(json.dumps(found) + "\n", encoding="utf-8")
    first = found["time_to_first_token"]
    note(f"{found['counts']} in {found['seconds']:.0f} s, {found['answer_tokens_per_second']:.0f} tokens/s")
    note(", ".join(f"{name} {1000 * value:.0f} ms" for name, value in first.items() if value))
    for failure in found["failures"]:
        note(f"FAILED: {failure}")
    return 1 if found["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
