"""How many processors this process should compute with."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_CPUS = Path("/sys/devices/system/cpu")


def usable_processors() -> int:
    """One for each physical core that this process may use, and no more than its container's share of time.

    Two threads on one core share its arithmetic units, which one thread of a kernel keeps busy; and threads
    beyond a container's quota are all halted together once it is spent.
    """
    return max(1, min(_physical_cores(), _quota()))


def _physical_cores() -> int:
    """Cores in the process's affinity mask; processors where the system does not tell which share a core."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = set()
    for processor in os.sched_getaffinity(0):
        siblings = _read(_CPUS / f"cpu{processor}" / "topology" / "thread_siblings_list")
        cores.add(siblings or str(processor))
    return len(cores)


def _quota() -> int:
    """Processors' worth of time that Linux control groups (version 2 or 1) allow, rounded up."""
    shares = [_share(_read(folder / "cpu.max")) for folder in _own_groups()]
    v1 = _CGROUPS / "cpu"
    shares.append(_share(f"{_read(v1 / 'cpu.cfs_quota_us')} {_read(v1 / 'cpu.cfs_period_us')}"))
    smallest = min(shares)
    return os.cpu_count() or 1 if math.isinf(smallest) else math.ceil(smallest)


def _own_groups() -> list[Path]:
    """The process's control group of version 2 and those it lies in, each of which limits it."""
    found = [line[3:] for line in _read(Path("/proc/self/cgroup")).splitlines() if line.startswith("0::")]
    own = _CGROUPS / (found[0].lstrip("/") if found else "")
    return [own, *(folder for folder in own.parents if folder.is_relative_to(_CGROUPS))]


def _share(limit: str) -> float:
    """Processors allowed by ``"quota period"`` in microseconds; infinite for ``"max"``, -1 or nothing."""
    try:
        quota, period = (int(part) for part in limit.split())
    except ValueError:
        return math.inf
    return quota / period if quota > 0 and period > 0 else math.inf


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
