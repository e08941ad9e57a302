"""Medians over the rounds of a run, and ratios that compare what was measured in the same round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.rounds import METRICS, Row

OURS = "rushlight"


@dataclass(frozen=True)
class Case:
    """Which workload: of a model, on threads, at a depth, with so many sequences."""

    part: str
    model: str
    threads: int
    depth: int = 0
    sequences: int = 1


class Summary:
    """The rows of a run, ready to be asked."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = list(rows)

    def cases(self, part: str) -> list[Case]:
        """The workloads of a part, in the order in which they were measured."""
        found = (
            Case(row["part"], row["model"], row["threads"], row["depth"], row["sequences"])
            for row in self.rows
            if row["part"] == part
        )
        return list(dict.fromkeys(found))

    def engines(self, part: str) -> list[str]:
        """The engines of a part, Rushlight first."""
        names = dict.fromkeys(row["engine"] for row in self.rows if row["part"] == part)
        return sorted(names, key=lambda name: name != OURS)

    def _rows(self, case: Case, engine: str) -> list[Row]:
        return [
            row
            for row in self.rows
            if row["engine"] == engine
            and "threads" in row
            and case == Case(row["part"], row["model"], row["threads"], row["depth"], row["sequences"])
        ]

    def rounds(self, case: Case, engine: str, metric: str) -> dict[int, float]:
        """A metric by round; of several settings, the better."""
        better: Callable[..., Any] = METRICS.get(metric, max)
        found: dict[int, float] = {}
        for row in self._rows(case, engine):
            if (value := row.get(metric)) is not None:
                number = row["round"]
                found[number] = better(found[number], value) if number in found else value
        return found

    def median(self, case: Case, engine: str, metric: str) -> float | None:
        """The median of a metric over the rounds; None where it was not measured."""
        values = self.rounds(case, engine, metric)
        return median(values.values()) if values else None

    def ratio(self, case: Case, metric: str, peers: Sequence[str]) -> float | None:
        """How many times the best of `peers` Rushlight is: the median of the ratios in each round."""
        better: Callable[..., Any] = METRICS[metric]
        ours = self.rounds(case, OURS, metric)
        theirs = [self.rounds(case, peer, metric) for peer in peers]
        ratios = []
        for number, value in ours.items():
            if others := [rounds[number] for rounds in theirs if number in rounds]:
                best = better(others)
                ratios.append(value / best if better is max else best / value)
        return median(ratios) if ratios else None

    def why_not(self, case: Case, engine: str) -> str | None:
        """Why an engine has no number, if it tried."""
        return next((row["error"] for row in self._rows(case, engine) if "error" in row), None)

    def version(self, engine: str) -> str:
        """What an engine says of itself."""
        return next((str(r["version"]) for r in self.rows if r["engine"] == engine and r.get("version")), "")


def newest(rows: Sequence[Row]) -> list[Row]:
    """Of each part the rows of its newest run, all of the machine of the newest run of all.

    Runs of a target that was forced do not count beside others.
    """
    if not rows:
        return []
    rows = [row for row in rows if not row.get("is_forced")] or rows
    last = max(rows, key=lambda row: str(row["run"]))
    same = [row for row in rows if all(row[key] == last[key] for key in ("cpu", "target", "cores"))]
    runs = {part: max(str(r["run"]) for r in same if r["part"] == part) for part in {r["part"] for r in same}}
    return [row for row in same if str(row["run"]) == runs[row["part"]]]


def forced(rows: Sequence[Row]) -> list[list[Row]]:
    """Of each target that was forced on this machine, the rows of its newest runs."""
    here = newest(rows)
    found = [
        row
        for row in rows
        if row.get("is_forced") and here and all(row[key] == here[0][key] for key in ("cpu", "cores"))
    ]
    targets = sorted({row["target"] for row in found} - {here[0]["target"]}) if here else []
    return [newest([row for row in found if row["target"] == target]) for target in targets]
