"""What this machine's processor can do, asked of whatever knows it for certain, by LLVM's names of features.

- Linux on x86-64: the flags of ``/proc/cpuinfo``, which are what processor and kernel both support.
- Linux on Arm: the words of flags that the kernel hands to every process. They are right under an emulator
  too, where ``/proc/cpuinfo`` speaks of another processor (bits: arch/arm64/include/uapi/asm/hwcap.h).
- Windows on Arm: ``IsProcessorFeaturePresent`` (numbers: winnt.h of the Windows SDK). Only newer versions of
  Windows know the number of i8mm, so an older one gets the smaller target.
- macOS on Arm: every Mac has at least what the M1 has.
- Anywhere else: LLVM, which asks the processor itself.

Linux, where starts count most, never imports LLVM for this.
"""

from __future__ import annotations

import ctypes
import platform
import sys

_CPUINFO_NAMES = {
    "abm": "lzcnt",
    "bmi1": "bmi",
    "avx512_vnni": "avx512vnni",
    "avx_vnni": "avxvnni",
}
"""Flags that Linux calls otherwise than LLVM."""

_AT_HWCAP, _AT_HWCAP2 = 16, 26
_HWCAP = {
    "lse": (_AT_HWCAP, 8),
    "dotprod": (_AT_HWCAP, 20),
    "i8mm": (_AT_HWCAP2, 13),
}
_WINDOWS_ARM = {"lse": 34, "dotprod": 43, "i8mm": 66}
_APPLE_M1 = frozenset({"lse", "dotprod"})


def machine() -> str:
    """What this process is made of: x86_64, aarch64, or another name; kernels are code of 64 bits."""
    if sys.platform == "win32":
        import sysconfig

        # Windows on Arm also runs programs for x86-64, in which `platform` may speak of the processor.
        name = sysconfig.get_platform().removeprefix("win-")
    else:
        name = platform.machine().lower()
    name = {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)
    return name if sys.maxsize > 1 << 32 else f"{name} with 32 bits"


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first processor."""
    lines = {}
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            name, colon, value = line.partition(":")
            if not colon:
                break
            lines[name.strip()] = value.strip()
    return lines


def _hwcap() -> frozenset[str]:
    getauxval = ctypes.CDLL(None).getauxval
    getauxval.argtypes, getauxval.restype = [ctypes.c_ulong], ctypes.c_ulong
    return frozenset(name for name, (word, bit) in _HWCAP.items() if getauxval(word) >> bit & 1)


def _windows_arm() -> frozenset[str]:
    present = getattr(ctypes, "windll").kernel32.IsProcessorFeaturePresent  # noqa: B009 (Windows only)
    return frozenset(name for name, number in _WINDOWS_ARM.items() if present(number))


def _llvm() -> tuple[str, frozenset[str]]:
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    return llvm.get_host_cpu_name(), frozenset(name for name, present in features.items() if present)


def host_processor() -> tuple[str, frozenset[str]]:
    """The name of this machine's processor, and its features by LLVM's names.

    Raises:
        ImportError: only LLVM could tell, and llvmlite cannot be imported.
    """
    kind = sys.platform, machine()
    try:
        if kind == ("linux", "x86_64"):
            about = _cpuinfo()
            flags = about["flags"].split()
            return about["model name"], frozenset(_CPUINFO_NAMES.get(flag, flag) for flag in flags)
        if kind == ("linux", "aarch64"):
            return "aarch64", _hwcap()
    except (OSError, KeyError, AttributeError):
        pass  # no /proc, or a C library without getauxval
    if kind == ("darwin", "aarch64"):
        return "Apple silicon", _APPLE_M1
    if kind == ("win32", "aarch64"):
        return platform.processor(), _windows_arm()
    return _llvm()
