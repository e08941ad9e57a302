"""What every engine under test offers, and Rushlight as one of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from benchmarks.process import last_json, run
from benchmarks.workload import Workload

Measurement = dict[str, Any]
"""Of ``prefill`` and ``decode`` (tokens a second) what was asked for, ``version``, and more."""


class Engine(Protocol):
    """An engine as the rounds see it.

    Attributes:
        name: in the report.
        once: whether one round is enough.
    """

    name: str
    once: bool

    def variants(self, workload: Workload) -> tuple[str, ...]:
        """Settings to try, of which the best counts; none where the engine takes no part."""
        ...

    def measure(self, workload: Workload, file: Path, variant: str) -> Measurement:
        """Measure once, in a process of its own.

        Raises:
            PeerError: there is no result.
        """
        ...


class Rushlight:
    """``rushlight bench`` with this interpreter."""

    name = "rushlight"
    once = False

    def variants(self, workload: Workload) -> tuple[str, ...]:
        """Defaults alone."""
        return ("",)

    def measure(self, workload: Workload, file: Path, variant: str) -> Measurement:
        """Speeds, shares of the machine's limits and memory."""
        sizes: Mapping[str, int] = {
            "-t": workload.threads,
            "-p": workload.n_prompt,
            "-n": workload.n_decode,
            "-d": workload.depth,
            "--sequences": workload.sequences,
            "-r": 1,
        }
        command = [sys.executable, "-m", "rushlight", "bench", "--json", "-m", str(file)]
        command += [text for name, value in sizes.items() for text in (name, str(value))]
        found = last_json(run(command if workload.warm else [*command, "--no-warmup"]))
        kept = ("target", "prefill_share", "decode_share", "memory_ratio", "peak_bytes", "file_bytes")
        return {
            "prefill": found["prefill_median"],
            "decode": found["decode_median"],
            **{name: found[name] for name in kept},
            "kv_bytes": found["kv_bytes"],
            "load_seconds": found["load_seconds"],
            "peaks": found["peaks"],
            "cost": found["cost"],
        }
