"""Rows of results, as the benchmarks write them."""

from __future__ import annotations

from typing import Any

RUN = {
    "run": "2026-01-02T03:04:05+00:00",
    "cpu": "A",
    "target": "t",
    "cores": 2,
    "system": "Linux",
    "python": "3.11",
    "rushlight": "0",
}


def row(engine: str, round: int, **fields: Any) -> dict[str, Any]:
    case = {"part": "models", "model": "m", "threads": 1, "depth": 0, "sequences": 1, "variant": ""}
    return {**RUN, **case, "engine": engine, "round": round, **fields}
