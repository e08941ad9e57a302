"""This machine: its processor, cores and memory, and which backend runs on it."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from dataclasses import dataclass

from rushlight.backends.processors import usable_processors
from rushlight.errors import InvalidParameter


@dataclass(frozen=True)
class Machine:
    """What decides how models run here.

    Attributes:
        processor: LLVM's name of the processor, or the machine's if LLVM cannot be asked.
        features: those of its features that kernels need.
        target: the kernel target, ``"none"`` where no kernel runs.
        reason: why that target, or why none.
        backend: what ``auto`` chooses, ``"none"`` where ``RUSHLIGHT_TARGET`` asks for what there is not.
        cores: how many models are computed with, unless told otherwise.
        memory: bytes of main memory, or None where the system does not tell.
    """

    processor: str
    features: tuple[str, ...]
    target: str
    reason: str
    backend: str
    cores: int
    memory: int | None


def this_machine() -> Machine:
    """Look at this machine."""
    cores, memory = usable_processors(), total_memory()
    try:
        from rushlight.backends.cpu.target import detect_target

        found = detect_target()
    except InvalidParameter as error:
        return Machine(platform.machine(), (), "none", str(error), "none", cores, memory)
    except ImportError as error:
        return Machine(platform.machine(), (), "none", str(error), "reference", cores, memory)
    backend = "reference" if found.target is None else "cpu"
    return Machine(found.processor, found.features, found.name, found.reason, backend, cores, memory)


def total_memory() -> int | None:
    """Bytes of main memory, or None where the system does not tell."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


class _MemoryStatus(ctypes.Structure):
    """``MEMORYSTATUSEX`` of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 5),
    )


def _windows_memory() -> int | None:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    kernel32 = getattr(ctypes, "windll").kernel32  # noqa: B009 (mypy knows it on Windows only)
    return int(status.total) if kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
