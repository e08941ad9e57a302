"""The machine's limits, measured while a model is loaded, or alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.peaks import PeakMeter, Peaks
from rushlight.backends.cpu.runtime import TEAM_KERNELS, Team
from rushlight.backends.cpu.target import Target
from rushlight.progress import Progress

Limits = Callable[[], Peaks | None]
"""Measures the limits; None where there are none to compare with."""

SECONDS = 0.15
"""For each limit: short, since it is measured before and behind everything else."""


def measure_peaks(target: Target, n_threads: int, progress: Progress | None = None) -> Peaks:
    """The limits of this machine on a team of its own."""
    with _meter(target, n_threads, progress) as meter:
        return meter.measure()


@contextmanager
def _meter(target: Target, n_threads: int, progress: Progress | None) -> Iterator[PeakMeter]:
    team = Team(n_threads, KernelLibrary(TEAM_KERNELS, target, progress))
    try:
        yield PeakMeter(target, team, progress)
    finally:
        team.close()


@contextmanager
def measuring_limits(target: Target | None, n_threads: int, progress: Progress | None) -> Iterator[Limits]:
    """What measures the machine's limits; without a target there are none."""
    if target is None:
        yield lambda: None
    else:
        with _meter(target, n_threads, progress) as meter:
            yield partial(meter.measure, SECONDS)
