"""Kernels as object files: kept in the user's cache, loaded with LLVM's linker alone.

A file's name holds a hash of everything that its code depends on: the sources of kernels and compiler, the
versions of Numba and llvmlite, the target. Its content ends with a hash of itself, so a damaged file is made
again. Files are written under another name and then renamed, so processes may share the folder.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from rushlight.backends.base import Progress
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.target import Target
from rushlight.paths import cache_dir

_HASH_BYTES = 32


def symbol(name: str) -> str:
    """The C symbol of a kernel."""
    return f"rushlight_{name}"


@cache
def _source_digest() -> bytes:
    """A hash of all that shapes a kernel's code, apart from the target."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(
        [*folder.glob("kernels/*.py"), *folder.glob("simd/*.py"), *map(folder.joinpath, _SHARED)]
    ):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(f"{version('numba')} {version('llvmlite')}".encode())
    return digest.digest()


_SHARED = ("compiler.py", "dots.py", "layout.py", "records.py", "scratch.py", "../cache.py")


def _object_path(name: str, target: Target) -> Path:
    key = hashlib.sha256(_source_digest() + repr((name, target, llvm.get_process_triple())).encode())
    return cache_dir() / "kernels" / f"{target.name}-{name}-{key.hexdigest()[:24]}.o"


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    code, digest = content[:-_HASH_BYTES], content[-_HASH_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else None


def _write(path: Path, code: bytes) -> None:
    """Keep an object file; where the folder cannot be written, the next process compiles again."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            temporary = file.name
            file.write(code + hashlib.sha256(code).digest())
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _obtain(names: list[str], target: Target, progress: Progress | None) -> dict[str, bytes]:
    found = {name: _read(_object_path(name, target)) for name in names}
    missing = [name for name, code in found.items() if code is None]
    for done, name in enumerate(missing):
        if progress:
            progress(f"Compiling kernel {name}", done, len(missing))
        from rushlight.backends.cpu.compiler import compile_kernel

        found[name] = compile_kernel(name, target)
        _write(_object_path(name, target), found[name] or b"")
    if missing and progress:
        progress("Compiling kernels", len(missing), len(missing))
    return {name: code for name, code in found.items() if code is not None}


class KernelLibrary:
    """Kernels in memory, ready to be called; it must outlive every use of their addresses."""

    def __init__(self, names: Iterable[str], target: Target, progress: Progress | None = None) -> None:
        """Load kernels from the cache and compile those that are not there.

        Args:
            names: keys of `KERNELS`.
            target: a target that this processor runs.
            progress: told of every kernel that is compiled.
        """
        names = sorted(set(names))
        unknown = [name for name in names if name not in KERNELS]
        if unknown:
            raise KeyError(f"no kernel is called {', '.join(unknown)}")
        objects = _obtain(names, target, progress)
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        machine = llvm.Target.from_default_triple().create_target_machine()
        self._engine: Any = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        for code in objects.values():
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.addresses: dict[str, int] = {
            name: self._engine.get_function_address(symbol(name)) for name in objects
        }
