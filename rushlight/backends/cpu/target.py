"""Kernel targets: which processor a kernel's machine code is for, and which of them this machine is.

``RUSHLIGHT_TARGET`` forces one, for example to compare their results.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from rushlight.backends.cpu.features import host_processor, machine
from rushlight.backends.cpu.object_formats import host_format
from rushlight.errors import InvalidParameter


class Target(NamedTuple):
    """What code is made for.

    Attributes:
        name: how users call it.
        machine: x86_64 or aarch64.
        cpu: LLVM's name of a processor.
        features: LLVM's feature string on top of it.
        needs: all features, as LLVM names them, that a processor must have to run the code.
        dots: the integer dot product, a key of `dots.DOTS`.
        tile_rows: tokens in a tile of the matrix kernels, as many as fit the registers.
        fetch_bytes: how far ahead one token's weights are fetched; 0 where the processor itself does it
            better (measured on Zen 4), 2,048 where it stops at the end of every page (Zen 3).
        formats: object formats of the systems that have such processors.
    """

    name: str
    machine: str
    cpu: str
    features: str
    needs: tuple[str, ...]
    dots: str
    tile_rows: int
    fetch_bytes: int
    formats: tuple[str, ...]

    @property
    def permutes_words(self) -> bool:
        """Whether 16-bit words are looked up in registers (AVX-512)."""
        return self.dots == "avx512vnni"


_X86_64_V3 = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")
_X86_64_V4 = (*_X86_64_V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")
# LLVM's Neoverse N1 is Armv8.2 with dotprod; two things that not all such processors have are left out.
_ARM_V8_2 = "+dotprod,-fullfp16,-rcpc"
_EVERY_FORMAT = ("elf", "macho", "coff")

# Best first within a machine.
TARGETS: tuple[Target, ...] = (
    Target(
        "x86-64-v4-vnni",
        "x86_64",
        "x86-64-v4",
        "+avx512vnni",
        (*_X86_64_V4, "avx512vnni"),
        "avx512vnni",
        8,
        0,
        _EVERY_FORMAT,
    ),
    Target(
        "x86-64-v3-avxvnni",
        "x86_64",
        "x86-64-v3",
        "+avxvnni",
        (*_X86_64_V3, "avxvnni"),
        "avxvnni",
        4,
        2048,
        _EVERY_FORMAT,
    ),
    Target("x86-64-v3", "x86_64", "x86-64-v3", "", _X86_64_V3, "avx2", 4, 2048, _EVERY_FORMAT),
    Target("apple-m1", "aarch64", "apple-m1", "", ("dotprod", "lse"), "neon", 4, 2048, ("macho",)),
    Target(
        "aarch64-i8mm",
        "aarch64",
        "neoverse-n1",
        f"{_ARM_V8_2},+i8mm",
        ("dotprod", "lse", "i8mm"),
        "i8mm",
        4,
        2048,
        ("elf", "coff"),
    ),
    Target(
        "aarch64-dotprod",
        "aarch64",
        "neoverse-n1",
        _ARM_V8_2,
        ("dotprod", "lse"),
        "neon",
        4,
        2048,
        ("elf", "coff"),
    ),
)


class Detection(NamedTuple):
    """The target chosen for this machine, or why there is none."""

    target: Target | None
    processor: str
    features: tuple[str, ...]
    reason: str

    @property
    def name(self) -> str:
        """The target's name, or "none"."""
        return self.target.name if self.target else "none"


def detect_target(forced: str | None = None) -> Detection:
    """Choose the best target that this processor runs.

    Args:
        forced: a target's name; by default the environment variable ``RUSHLIGHT_TARGET``.

    Raises:
        InvalidParameter: the forced target is unknown, or this processor does not run it.
    """
    processor, features = host_processor()
    ours = [t for t in TARGETS if t.machine == machine() and host_format() in t.formats]
    usable = [t for t in ours if features.issuperset(t.needs)]
    present = tuple(sorted({need for t in ours for need in t.needs if need in features}))
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
        wanted = "; ".join(f"{t.name} needs {' '.join(t.needs)}" for t in ours)
        return Detection(None, processor, present, wanted or f"no kernels exist for {machine()}")
    return Detection(usable[0], processor, present, "the best that this processor runs")
