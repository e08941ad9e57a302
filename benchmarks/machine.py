"""Where a run took place: enough to tell one machine and one version from another."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import rushlight
from rushlight.backends.cpu.target import detect_target
from rushlight.backends.processors import usable_processors


def this_run(date: str) -> dict[str, Any]:
    """The fields that all rows of a run share; `date` is ISO 8601 and tells runs apart."""
    detection = detect_target()
    return {
        "run": date,
        "cpu": _cpu_name(),
        "target": detection.name,
        "is_forced": "RUSHLIGHT_TARGET" in os.environ,
        "cores": usable_processors(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "rushlight": _version(),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version() -> str:
    """The version, and the commit where this is a checkout."""
    git = ["git", "-C", os.fspath(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return rushlight.__version__
    return f"{rushlight.__version__} ({commit})"
