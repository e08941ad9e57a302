"""From object files to addresses that can be called: our own linker on Linux, LLVM's elsewhere."""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rushlight.backends.cpu.elf import link_kernels
from rushlight.backends.cpu.object_formats import symbol
from rushlight.errors import BackendUnavailable


@dataclass(frozen=True)
class LoadedCode:
    """Machine code in memory.

    Attributes:
        addresses: of each kernel, by name.
        owner: what holds the code; it must outlive every use of the addresses.
    """

    addresses: Mapping[str, int]
    owner: Any


def load_mapped(objects: Mapping[str, bytes]) -> LoadedCode:
    """Link ELF object files and map them as a program's code is mapped: from a file, never writable.

    Raises:
        OSError: the system refuses to map code.
        ValueError: the linker does not know something in the object files.
    """
    image, starts = link_kernels(objects)
    file = os.memfd_create("rushlight-kernels")
    try:
        with open(file, "wb", closefd=False) as writer:
            writer.write(image)
        code = mmap.mmap(file, len(image), mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
    finally:
        os.close(file)
    base = np.frombuffer(code, np.uint8).ctypes.data
    return LoadedCode({name: base + start for name, start in starts.items()}, code)


def load_with_llvm(objects: Mapping[str, bytes]) -> LoadedCode:
    """Load object files in this system's format with LLVM's linker."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    for code in objects.values():
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return LoadedCode({name: engine.get_function_address(symbol(name)) for name in objects}, engine)


def load_code(objects: Mapping[str, bytes]) -> LoadedCode:
    """Load kernels' object files in this system's format.

    Raises:
        BackendUnavailable: this system loads no code.
    """
    if sys.platform == "linux":
        try:
            return load_mapped(objects)
        except (OSError, ValueError, AttributeError):
            pass  # LLVM's linker can do more, and asks the system in another way
    try:
        return load_with_llvm(objects)
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendUnavailable(
            f"Kernels cannot be loaded on this system ({error}); use backend='reference'."
        ) from error
