"""``make bench``: measure Rushlight, and llama.cpp where it is found, side by side in one run.

Every result is appended to ``benchmarks/results.jsonl``; ``docs/benchmarks.md`` is written from the newest
run. Peers are measured in turn with Rushlight, so that a machine whose speed drifts is fair to both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.measure import first_word
from benchmarks.peers import find_llama_bench, llama_bench
from benchmarks.report import write_report
from rushlight.backends.cpu.target import detect_target
from rushlight.hub import resolve

FOLDER = Path(__file__).parent
MODELS = ("smollm2", "gemma3-270m")


def measure(model: str, n_threads: int, llama: str | None) -> list[dict[str, Any]]:
    """Rows for one model and number of threads: one an engine."""
    file = resolve(model).path
    command = [sys.executable, "-m", "benchmarks.measure", model, str(n_threads)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory() as home:
        # Another home has no model either, so the file is named.
        new_machine = first_word(str(file), n_threads, home)
    row = {"engine": "rushlight", **json.loads(output), "first_word": first_word(model, n_threads)}
    rows = [{**row, "first_word_new_machine": new_machine}]
    if llama:
        rows.append({"engine": "llama.cpp", **llama_bench(llama, file, n_threads)})
    return [{"model": model, "threads": n_threads, **row} for row in rows]


def main() -> None:
    """Measure every model with 1 and 2 threads, then write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", help="a model reference; may be given more than once")
    parser.add_argument("--threads", type=int, action="append", help="may be given more than once")
    parser.add_argument("--llama-bench", help="path of llama.cpp's llama-bench")
    args = parser.parse_args()
    llama = find_llama_bench(args.llama_bench)
    run = {"date": datetime.now(timezone.utc).date().isoformat(), "processor": detect_target().processor}
    rows = []
    for model in args.model or MODELS:
        for n_threads in args.threads or (1, 2):
            print(f"{model}, {n_threads} threads", file=sys.stderr)
            rows += [{**run, **row} for row in measure(model, n_threads, llama)]
    with (FOLDER / "results.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    write_report(rows)


if __name__ == "__main__":
    main()
