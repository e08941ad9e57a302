"""Kernel targets: which processor a kernel's machine code is for, and which of them this machine is.

``RUSHLIGHT_TARGET`` forces one, for example to compare their results.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass

from rushlight.backends.cpu.arm_features import arm_linux_features
from rushlight.errors import InvalidParameter


@dataclass(frozen=True)
class Target:
    """What code is made for.

    Attributes:
        name: how users call it.
        machine: `platform.machine()` in lower case, x86_64 or aarch64.
        cpu: LLVM's name of a processor.
        features: LLVM's feature string on top of it.
        needs: features, as LLVM names them, that the processor must report.
        dots: the integer dot product, a key of `dots.DOTS`.
        tile_rows: tokens in a tile of the matrix kernels, as many as fit the registers.
    """

    name: str
    machine: str
    cpu: str
    features: str
    needs: tuple[str, ...]
    dots: str
    tile_rows: int


# Best first within a machine.
TARGETS: tuple[Target, ...] = (
    Target(
        "x86-64-v4-vnni",
        "x86_64",
        "x86-64-v4",
        "+avx512vnni",
        ("avx2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni", "fma", "f16c"),
        "avx512vnni",
        8,
    ),
    Target(
        "x86-64-v3-avxvnni",
        "x86_64",
        "x86-64-v3",
        "+avxvnni",
        ("avx2", "fma", "f16c", "avxvnni"),
        "avxvnni",
        4,
    ),
    Target("x86-64-v3", "x86_64", "x86-64-v3", "", ("avx2", "fma", "f16c"), "avx2", 4),
    Target("aarch64-dotprod", "aarch64", "neoverse-n1", "+dotprod,+fullfp16", ("dotprod",), "neon", 4),
)


@dataclass(frozen=True)
class Detection:
    """The target chosen for this machine, or why there is none."""

    target: Target | None
    processor: str
    features: tuple[str, ...]
    reason: str

    @property
    def name(self) -> str:
        """The target's name, or "none"."""
        return self.target.name if self.target else "none"


def _host_features() -> dict[str, bool]:
    import llvmlite.binding as llvm

    features = dict(llvm.get_host_cpu_features())
    if sys.platform == "darwin" and platform.machine() == "arm64":
        features["dotprod"] = True  # Every Apple processor since M1 has it; LLVM does not report it there.
    if sys.platform == "linux" and _machine() == "aarch64":
        features.update(arm_linux_features())
    return features


def _machine() -> str:
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def detect_target(forced: str | None = None) -> Detection:
    """Choose the best target that this processor runs.

    Args:
        forced: a target's name; by default the environment variable ``RUSHLIGHT_TARGET``.

    Raises:
        InvalidParameter: the forced target is unknown, or this processor does not run it.
    """
    import llvmlite.binding as llvm

    features, machine, processor = _host_features(), _machine(), llvm.get_host_cpu_name()
    usable = [t for t in TARGETS if t.machine == machine and all(features.get(need) for need in t.needs)]
    present = tuple(sorted({need for t in TARGETS for need in t.needs if features.get(need)}))
    forced = forced or os.environ.get("RUSHLIGHT_TARGET")
    if forced:
        chosen = [t for t in usable if t.name == forced]
        if not chosen:
            names = ", ".join(t.name for t in usable) or "none"
            raise InvalidParameter(
                f"RUSHLIGHT_TARGET is {forced}; this processor ({processor}) runs: {names}."
            )
        return Detection(chosen[0], processor, present, "forced by RUSHLIGHT_TARGET")
    if not usable:
        wanted = "; ".join(f"{t.name} needs {' '.join(t.needs)}" for t in TARGETS if t.machine == machine)
        return Detection(None, processor, present, wanted or f"no kernels exist for {machine}")
    return Detection(usable[0], processor, present, "the best that this processor runs")
