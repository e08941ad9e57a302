"""What an Arm processor can do, as Linux tells every process of it.

The kernel hands each process two words of flags, which need no file to be read and are right under an emulator
too, where /proc/cpuinfo speaks of another processor. Source of the bits: Linux,
arch/arm64/include/uapi/asm/hwcap.h.
"""

from __future__ import annotations

import ctypes

_AT_HWCAP, _AT_HWCAP2 = 16, 26
_FLAGS = {
    "fullfp16": (_AT_HWCAP, 10),
    "dotprod": (_AT_HWCAP, 20),
    "i8mm": (_AT_HWCAP2, 13),
}


def arm_linux_features() -> dict[str, bool]:
    """Features of `_FLAGS` by LLVM's names; empty where the C library has no `getauxval`."""
    try:
        getauxval = ctypes.CDLL(None).getauxval
    except AttributeError:
        return {}
    getauxval.argtypes, getauxval.restype = [ctypes.c_ulong], ctypes.c_ulong
    return {name: bool(getauxval(word) >> bit & 1) for name, (word, bit) in _FLAGS.items()}
