"""Metrics for Prometheus: what the engine does, and how long requests take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from rushlight.completion import Completion

if TYPE_CHECKING:
    from rushlight.engine.stats import EngineStats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Row = tuple[str, str, "Callable[[EngineStats], int]"]
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_TOKEN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5)

GAUGES: tuple[_Row, ...] = (
    ("rushlight_sequences_running", "Sequences that run.", lambda stats: stats.n_running),
    ("rushlight_sequences_waiting", "Sequences that wait for their turn.", lambda stats: stats.n_waiting),
)
COUNTERS: tuple[_Row, ...] = (
    ("rushlight_prompt_tokens", "Tokens of prompts that began to run.", lambda stats: stats.prompt_tokens),
    ("rushlight_prefix_hit_tokens", "Those found in the prefix cache.", lambda stats: stats.cached_tokens),
    ("rushlight_disk_blocks", "Blocks brought from the disk's cache.", lambda stats: stats.disk_blocks),
    ("rushlight_computed_tokens", "Tokens computed, also again.", lambda stats: stats.computed_tokens),
    ("rushlight_generated_tokens", "Tokens generated.", lambda stats: stats.generated_tokens),
    ("rushlight_preemptions", "Times a sequence gave its blocks up.", lambda stats: stats.preemptions),
    ("rushlight_steps", "Steps that the engine computed.", lambda stats: stats.steps),
)


class EngineCollector(Collector):
    """The engine's numbers, read when somebody asks.

    Args:
        stats: gives them.
        info: what never changes, as labels.
    """

    def __init__(self, stats: Callable[[], EngineStats], info: dict[str, str]) -> None:
        self._stats = stats
        self._info = info

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        stats = self._stats()
        yield InfoMetricFamily("rushlight", "What is served.", self._info)
        for name, about, read in GAUGES:
            yield GaugeMetricFamily(name, about, read(stats))
        for name, about, read in COUNTERS:
            yield CounterMetricFamily(name, about, read(stats))
        blocks = GaugeMetricFamily(
            "rushlight_kv_blocks", "Blocks of the KV cache.", labels=["group", "state"]
        )
        for i, group in enumerate(stats.blocks):
            free = group.total - group.used - group.kept
            for state, value in (("used", group.used), ("kept", group.kept), ("free", free)):
                blocks.add_metric([str(i), state], value)
        yield blocks
        finished = CounterMetricFamily(
            "rushlight_sequences_finished", "Sequences that ended.", labels=["reason"]
        )
        for reason, n in stats.finished.items():
            finished.add_metric([reason], n)
        yield finished


class Metrics:
    """All metrics of one server, in a registry of its own.

    Args:
        stats: gives the engine's numbers.
        info: what never changes, as labels.
    """

    def __init__(self, stats: Callable[[], EngineStats], info: dict[str, str]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(EngineCollector(stats, info))
        self._requests = Counter(
            "rushlight_requests", "Requests answered.", ["path", "status"], registry=self._registry
        )
        self._seconds = self._histogram("request", "Seconds of a request, its stream included.", ["path"])
        self._first_token = self._histogram("time_to_first_token", "Seconds from the request to it.")
        self._per_token = self._histogram(
            "time_per_output_token", "Seconds of each token after the first.", buckets=_TOKEN_SECONDS
        )
        self._errors = Counter(
            "rushlight_errors", "Requests that ended with an error.", ["code"], registry=self._registry
        )

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that is done; status 0: nobody was there to be answered."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def completions(self, completions: Sequence[Completion]) -> None:
        """Take the times of answers."""
        for timings in (each.timings for each in completions):
            if timings.completion_tokens:
                self._first_token.observe(timings.time_to_first_token)
            if timings.completion_tokens > 1:
                self._per_token.observe(timings.completion_seconds / (timings.completion_tokens - 1))

    def error(self, code: str) -> None:
        """Count an error that a client was told."""
        self._errors.labels(code).inc()

    def described(self) -> list[tuple[str, str, str]]:
        """Name, type and meaning of each metric."""
        suffixes = {"counter": "_total", "info": "_info"}
        return [
            (each.name + suffixes.get(each.type, ""), each.type, each.documentation)
            for each in self._registry.collect()
        ]

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _histogram(
        self, name: str, about: str, labels: Sequence[str] = (), buckets: Sequence[float] = _SECONDS
    ) -> Histogram:
        return Histogram(f"rushlight_{name}_seconds", about, labels, buckets=buckets, registry=self._registry)
