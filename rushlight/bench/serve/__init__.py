"""Loading a server that speaks OpenAI's API, and how fast it answers."""

from __future__ import annotations

from rushlight.bench.serve.plan import LoadPlan
from rushlight.bench.serve.result import LoadResult
from rushlight.bench.serve.runner import run_load

__all__ = ["LoadPlan", "LoadResult", "run_load"]
