"""Servers under the load of so many clients at once, each asking again as soon as it is answered."""

from __future__ import annotations

from pathlib import Path

from benchmarks.engine import Measurement
from benchmarks.process import LIMIT_SECONDS, PeerError
from benchmarks.servers import Server, free_port, limited, llama_command, rushlight_command, started
from benchmarks.summary import OURS
from benchmarks.workload import Workload
from rushlight.bench.serve import LoadPlan, run_load
from rushlight.bench.serve.plan import ANSWER, Range
from rushlight.errors import ServerFailure
from rushlight.params import EngineOptions

N_CTX = 1024
LATENCIES = {"time_to_first_token": "first_token", "time_per_output_token": "per_token"}


class RushlightServe:
    """``rushlight serve`` as it comes, and with one sequence at once for each client."""

    name, once = OURS, False

    def variants(self, workload: Workload) -> tuple[str, ...]:
        """Numbers of sequences at once: eight are its default."""
        n_default = EngineOptions().n_sequences
        return ("",) if workload.sequences <= n_default else ("", f"--parallel {workload.sequences}")

    def measure(self, workload: Workload, file: Path, variant: str) -> Measurement:
        """Speeds and latencies."""
        port = free_port()
        command = [*rushlight_command(file, port, workload.threads, N_CTX), *variant.split()]
        with started(self.name, command, port) as server:
            return measured(server, workload)


class LlamaServe:
    """llama.cpp's ``llama-server``, with its own number of slots and with one for each client."""

    def __init__(self, name: str, program: Path) -> None:
        self.name, self.once = name, False
        self._program = program

    def variants(self, workload: Workload) -> tuple[str, ...]:
        """Numbers of slots: four are its default."""
        return tuple(f"-np {n}" for n in dict.fromkeys((4, workload.sequences)))

    def measure(self, workload: Workload, file: Path, variant: str) -> Measurement:
        """Speeds and latencies."""
        port, slots = free_port(), int(variant.removeprefix("-np "))
        command = llama_command(self._program, file, port, workload.threads, N_CTX, slots)
        with started(self.name, command, port) as server:
            return measured(server, workload)


def find_serve_program(bench: Path) -> Path | None:
    """``llama-server`` in the folder of a ``llama-bench``."""
    program = bench.with_name("llama-server")
    return program if program.exists() else None


def measured(server: Server, workload: Workload) -> Measurement:
    """Load a server with the requests of a workload: n_prompt and n_decode are the longest.

    Raises:
        PeerError: a request fails.
    """
    plan = load_plan(workload)
    try:
        with limited(server, LIMIT_SECONDS):
            run_load(server.url, LoadPlan(n_requests=2, prompt=Range(8, 8), answer=Range(8, 8), seed=1))
            result = run_load(server.url, plan)
    except ServerFailure as failure:
        raise PeerError(str(failure)) from failure
    if result.errors:
        raise PeerError("; ".join(f"{count} x {error}" for error, count in result.errors.items()))
    found = result.as_dict()
    latencies = {
        f"{short}_{name}": value for long, short in LATENCIES.items() for name, value in found[long].items()
    }
    return {
        "answers": found["answer_tokens_per_second"],
        "prompts": found["prompt_tokens_per_second"],
        "requests": len(result.replies),
        "resident_bytes": server.resident_bytes(),
        **latencies,
    }


def load_plan(workload: Workload) -> LoadPlan:
    """The same for every engine."""
    return LoadPlan(
        n_requests=8 + 2 * workload.sequences,
        concurrency=workload.sequences,
        prompt=Range(max(1, workload.n_prompt // 16), workload.n_prompt),
        answer=Range(max(1, workload.n_decode // (ANSWER.high // ANSWER.low)), workload.n_decode),
        seed=workload.sequences,
        timeout=300.0,
    )
