"""Measuring a model on this machine, and how much of the machine's limits it uses."""

from __future__ import annotations

from rushlight.bench.plan import BenchPlan
from rushlight.bench.result import BenchResult
from rushlight.bench.runner import run_bench

__all__ = ["BenchPlan", "BenchResult", "run_bench"]
