"""One interleaved run: in each round every engine is measured once, so that a machine whose speed drifts is
fair to all.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engine import Engine, Measurement
from benchmarks.process import PeerError
from benchmarks.workload import Workload

Row = dict[str, Any]
Record = Callable[[Row], None]
METRICS = {"prefill": max, "decode": max, "first_word": min, "answers": max}
"""What is compared, and which is the better of two."""


def run_rounds(
    workload: Workload,
    file: Path,
    engines: Sequence[Engine],
    n_rounds: int,
    record: Record,
    seconds: float = math.inf,
) -> None:
    """Measure a workload with every engine; of several settings all are tried, the best go on.

    Args:
        workload: what to measure.
        file: of its model.
        engines: that may take part.
        n_rounds: how often each is measured, if it does not fail.
        record: called with each row.
        seconds: begin no round that would probably end later than this.
    """
    going = {(engine, variant): True for engine in engines for variant in engine.variants(workload)}
    begin = now = time.perf_counter()
    for number in range(n_rounds):
        last, now = now, time.perf_counter()
        if number and 2 * now - last - begin > seconds:
            return note(f"{workload.label}: no time for round {number + 1}")
        rows: dict[tuple[Engine, str], Row] = {}
        for engine, variant in [key for key, goes_on in going.items() if goes_on]:
            note(f"{workload.label}, round {number + 1} of {n_rounds}: {engine.name} {variant}")
            found = _measured(engine, workload, file, variant)
            rows[engine, variant] = row = {**_described(workload), "round": number, "engine": engine.name}
            row.update({"variant": variant, **found})
            going[engine, variant] = "error" not in found and not engine.once
            note("    " + _told(row))
            record(row)
        if number == 0:
            best = _best(rows)
            going = {key: goes_on and key in best for key, goes_on in going.items()}


def _measured(engine: Engine, workload: Workload, file: Path, variant: str) -> Measurement:
    try:
        return engine.measure(workload, file, variant)
    except PeerError as error:
        return {"error": str(error)}


def _described(workload: Workload) -> Row:
    names = ("part", "model", "threads", "n_prompt", "n_decode", "depth", "sequences")
    return {name: getattr(workload, name) for name in names}


def _best(rows: dict[tuple[Engine, str], Row]) -> set[tuple[Engine, str]]:
    """Of each engine, the settings that were best at something."""
    best = set()
    for engine in {engine for engine, _ in rows}:
        own = {key: row for key, row in rows.items() if key[0] is engine and "error" not in row}
        for metric, better in METRICS.items():
            values = {key: row[metric] for key, row in own.items() if row.get(metric)}
            if values:
                best.add(better(values, key=lambda key: values[key]))
    return best


def _told(row: Row) -> str:
    if "error" in row:
        return str(row["error"])
    units = {
        "prefill": "prefill {:.1f} tokens/s",
        "decode": "decode {:.1f} tokens/s",
        "first_word": "{:.2f} s",
        "answers": "answers {:.1f} tokens/s",
    }
    return ", ".join(text.format(row[name]) for name, text in units.items() if row.get(name))


def note(text: str) -> None:
    """A line of progress on standard error."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)
