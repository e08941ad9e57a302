"""``make bench``: measure Rushlight, and every peer that is found, side by side in one run.

Results are appended to ``benchmarks/results.jsonl``; ``docs/benchmarks.md``, its plots and the table of the
README are written from the newest run of each part. Nothing is built; models are fetched or written once.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.bars import IK, LLAMA
from benchmarks.engine import Engine, Rushlight
from benchmarks.greedy import check_greedy
from benchmarks.llama_bench import LlamaBench, find_llama
from benchmarks.machine import this_run
from benchmarks.process import PeerError, last_json, run
from benchmarks.python_peer import PythonPeer, find_packages
from benchmarks.report import page, write_report
from benchmarks.rounds import Record, Row, note, run_rounds
from benchmarks.serving import LlamaServe, RushlightServe, find_serve_program
from benchmarks.start import LlamaStart, RushlightStart, find_start_program, interpreter_bytes
from benchmarks.summary import OURS, Summary, forced, newest
from benchmarks.workload import PARTS, ROUNDS, SECONDS, SMALL, model_file, workloads
from rushlight.backends.cpu.target import detect_target
from rushlight.backends.processors import usable_processors
from rushlight.bench.limits import measure_peaks

RESULTS = Path(__file__).with_name("results.jsonl")
GREEDY_TOKENS, OUTSIDE_TOKENS = 64, 128


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be given more than once")
    parser.add_argument("--rounds", type=int, help="rounds of every part, however long they take")
    parser.add_argument("--threads", type=int, action="append", help="default: 1 and one per core")
    parser.add_argument("--llama", metavar="PATH", help="llama.cpp's llama-bench or its folder")
    parser.add_argument("--ik", metavar="PATH", help="ik_llama.cpp's llama-bench or its folder")
    parser.add_argument(
        "--python", action="append", default=[], metavar="PATH", help="an interpreter with Python peers"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works; no report")
    parser.add_argument("--results", type=Path, help="where rows are appended (default: %(default)s)")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the report anew")
    return parser.parse_args()


class Recorder:
    """Appends rows to a file as they come, each with the fields of its run."""

    def __init__(self, path: Path) -> None:
        date = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._path, self._run = path, this_run(date)

    def __call__(self, row: Row) -> None:
        """Take a row."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**self._run, **row}) + "\n")


def read_rows(path: Path) -> list[Row]:
    """All rows of a file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def find_peers(args: argparse.Namespace) -> tuple[dict[str, list[Engine]], list[PythonPeer]]:
    """Engines by part, "" for those that need no other, and packages; those that are missing are told."""
    timed: list[Engine] = [Rushlight()]
    started: list[Engine] = [RushlightStart()]
    serving: list[Engine] = [RushlightServe()]
    for name, given, is_ik in ((LLAMA, args.llama, False), (IK, args.ik, True)):
        program = find_llama(given) if given or not is_ik else None
        if program is None or not program.exists():
            note(f"{name}: not found{f' at {program}' if program else ''}; see docs/benchmarks.md")
            continue
        timed.append(LlamaBench(name, program, is_ik))
        if start := find_start_program(program):
            started.append(LlamaStart(name, start))
        if not is_ik and (serve := find_serve_program(program)):
            serving.append(LlamaServe(name, serve))
    packages, missing = find_packages([sys.executable, *args.python])
    for name, reason in missing.items():
        note(f"{name}: {reason}")
    return {"": [*timed, *packages], "start": started, "serve": serving}, packages


def check_words(models: Sequence[str], packages: list[PythonPeer], quick: bool, record: Record) -> None:
    """Greedy tokens before anything is timed."""
    peers = [peer for peer in packages if peer.name == "llama-cpp-python"]
    for model in models if peers else ():
        n_tokens = 8 if quick else GREEDY_TOKENS
        for row in check_greedy(model, model_file(model, quick), peers, n_tokens):
            note(f"greedy: {model}: {row.get('error') or row['first_difference']}")
            record(row)


def measure_limits(threads: Sequence[int], record: Record) -> None:
    """The machine's limits, before anything else is measured."""
    if (target := detect_target().target) is None:
        return note("no kernels run on this processor; see 'rushlight doctor'")
    for n_threads in threads:
        peaks = asdict(measure_peaks(target, n_threads))
        note(f"limits, {n_threads} threads: " + ", ".join(f"{k} {v:.3g}" for k, v in peaks.items()))
        case = {"model": "", "threads": n_threads, "depth": 0, "sequences": 1}
        record({"part": "limits", **case, "engine": OURS, "round": 0, "peaks": peaks})


def measure_interpreter(record: Record) -> None:
    """Memory that every Python program with NumPy takes, Rushlight or not."""
    peak = interpreter_bytes()
    note(f"Python and NumPy alone: {peak / 2**20:.1f} MiB")
    record({"part": "interpreter", "model": "", "engine": OURS, "peak_bytes": peak})


def measure_outside(threads: int, quick: bool, record: Record) -> None:
    """Time per token outside the native program, of the small models."""
    for model in SMALL:
        sizes = [str(threads), str(16 if quick else OUTSIDE_TOKENS)]
        try:
            command = [sys.executable, "-m", "benchmarks.overhead", str(model_file(model, quick)), *sizes]
            found: dict[str, Any] = last_json(run(command))
        except PeerError as error:
            found = {"error": str(error)}
        note(f"outside the native program: {model}: {found}")
        record({"part": "outside", "model": model, "engine": OURS, **found})


def measure(args: argparse.Namespace, record: Record) -> None:
    """All parts that were asked for."""
    engines, packages = find_peers(args)
    threads = tuple(sorted(set(args.threads or (1, usable_processors()))))
    parts = args.only or PARTS
    measure_limits(threads, record)
    measure_interpreter(record)
    if "models" in parts:
        check_words(SMALL, packages, args.quick, record)
        measure_outside(max(threads), args.quick, record)
    for part in parts:
        n_rounds = args.rounds or (1 if args.quick else ROUNDS[part])
        work = workloads(part, threads, args.quick)
        seconds = math.inf if args.rounds else SECONDS[part] / len(work)
        for workload in work:
            file = model_file(workload.model, args.quick)
            run_rounds(workload, file, engines.get(part, engines[""]), n_rounds, record, seconds)
            if part == "start":
                run_rounds(workload, file, [RushlightStart(new_machine=True)], 1, record)


def main() -> None:
    """Measure, then write the report."""
    args = parse_arguments()
    results = args.results or RESULTS
    if args.quick and not args.results:
        handle, name = tempfile.mkstemp(suffix=".jsonl")
        os.close(handle)
        results = Path(name)
    if not args.report:
        measure(args, Recorder(results))
    every = read_rows(results)
    rows, others = newest(every), forced(every)
    if args.quick or args.results:
        print(page(Summary(rows), [Summary(other) for other in others]))
    else:
        write_report(rows, others)


if __name__ == "__main__":
    main()
