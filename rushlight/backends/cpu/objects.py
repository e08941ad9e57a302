"""Kernels in memory: object files from the user's cache, from the wheel or from the compiler, loaded.

Only a kernel that neither has is compiled, in processes of their own (`workers`).
"""

from __future__ import annotations

from collections.abc import Iterable

from rushlight.backends.base import Progress
from rushlight.backends.cpu.archive import read_shipped
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.loader import LoadedCode, load_code
from rushlight.backends.cpu.object_cache import ObjectCache
from rushlight.backends.cpu.object_formats import host_format
from rushlight.backends.cpu.target import Target


def _compile_missing(
    names: list[str], target: Target, cache: ObjectCache, progress: Progress | None
) -> dict[str, bytes]:
    """Compile what no other process compiles, and wait for what another does."""
    from rushlight.backends.cpu import workers

    found: dict[str, bytes] = {}
    with cache.lock():
        made_meanwhile = {name: cache.read(name) for name in names}
        found.update((name, code) for name, code in made_meanwhile.items() if code is not None)
        jobs = [workers.Job(name, target, (host_format(),)) for name in names if name not in found]

        def done(job: workers.Job, objects: list[bytes]) -> None:
            (found[job.kernel],) = objects
            cache.write(job.kernel, objects[0])
            if progress:
                progress("Compiling kernels", len(found), len(names))

        workers.compile_in_parallel(jobs, done)
    return found


def obtain_objects(
    names: Iterable[str], target: Target, progress: Progress | None = None
) -> dict[str, bytes]:
    """The object files of kernels, by name, in this system's format.

    Args:
        names: keys of `KERNELS`.
        target: a target.
        progress: told of every kernel that is compiled.

    Raises:
        BackendUnavailable: a kernel does not compile.
    """
    cache = ObjectCache(target, host_format())
    found = {name: cache.read(name) for name in names}
    if None in found.values():
        shipped = read_shipped(target, host_format())
        found = {name: code or shipped.get(name) for name, code in found.items()}
    missing = [name for name, code in found.items() if code is None]
    if missing:
        if progress:
            progress("Compiling kernels", 0, len(missing))
        found.update(_compile_missing(missing, target, cache, progress))
    return {name: code for name, code in found.items() if code is not None}


class KernelLibrary:
    """Kernels in memory, ready to be called; it must outlive every use of their addresses.

    Attributes:
        addresses: of the kernels loaded so far, by name.
    """

    def __init__(self, names: Iterable[str], target: Target, progress: Progress | None = None) -> None:
        """Load kernels, compiling those that are nowhere to be found.

        Args:
            names: keys of `KERNELS`.
            target: a target that this processor runs.
            progress: told of every kernel that is compiled.
        """
        self.addresses: dict[str, int] = {}
        self._target, self._progress = target, progress
        self._loaded: list[LoadedCode] = []
        self.require(names)

    def require(self, names: Iterable[str]) -> None:
        """Load those of some kernels that are not loaded yet.

        Raises:
            KeyError: there is no such kernel.
            BackendUnavailable: a kernel does not compile, or the system loads no code.
        """
        wanted = sorted(set(names) - set(self.addresses))
        unknown = [name for name in wanted if name not in KERNELS]
        if unknown:
            raise KeyError(f"no kernel is called {', '.join(unknown)}")
        if wanted:
            code = load_code(obtain_objects(wanted, self._target, self._progress))
            self._loaded.append(code)
            self.addresses.update(code.addresses)
