"""The kernels that lie on this machine as object files, and making archives of them for other machines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rushlight.backends.base import Progress
from rushlight.backends.cpu import archive
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.object_cache import code_key
from rushlight.backends.cpu.target import TARGETS, Target
from rushlight.paths import cache_dir


@dataclass(frozen=True)
class KernelSet:
    """Object files of one target and format in one place.

    Attributes:
        place: "shipped" (with this installation) or "cache" (compiled here).
        target: the target's name.
        format: elf, macho or coff.
        n_kernels: how many.
        n_bytes: their size.
        current: whether they belong to the sources as they are; others are never used.
        path: the archive, or the cache's folder.
    """

    place: str
    target: str
    format: str
    n_kernels: int
    n_bytes: int
    current: bool
    path: Path


def _shipped(target: Target, format: str) -> KernelSet | None:
    path = archive.SHIPPED / archive.archive_name(target, format)
    objects = archive.read_archive(path)
    if not objects:
        return None
    current = bool(archive.read_archive(path, code_key(target, format)))
    n_bytes = sum(map(len, objects.values()))
    return KernelSet("shipped", target.name, format, len(objects), n_bytes, current, path)


def _cached(folder: Path) -> KernelSet | None:
    name, dot, rest = folder.name.rpartition(".")
    format, dash, key = rest.partition("-")
    sizes = [path.stat().st_size for path in folder.glob("*.o")]
    if not (dot and dash and sizes):
        return None
    current = any(t.name == name and format in t.formats and code_key(t, format) == key for t in TARGETS)
    return KernelSet("cache", name, format, len(sizes), sum(sizes), current, folder)


def find_kernels() -> list[KernelSet]:
    """All kernels on this machine: those shipped with Rushlight, then those in the user's cache."""
    shipped = [_shipped(target, format) for target in TARGETS for format in target.formats]
    cached = [_cached(folder) for folder in sorted((cache_dir() / "kernels").glob("*.*-*"))]
    return [found for found in (*shipped, *cached) if found is not None]


def build_archives(
    targets: Sequence[Target], formats: Sequence[str], folder: Path, progress: Progress | None = None
) -> list[Path]:
    """Compile every kernel for targets, in each of some formats that a target's systems use.

    Args:
        targets: whose code to make; this machine need not run it.
        formats: of elf, macho and coff.
        folder: where the archives go; those of the same names are replaced.
        progress: told of every kernel.

    Returns:
        The archives.

    Raises:
        BackendUnavailable: a kernel does not compile.
        OSError: the folder cannot be written.
    """
    from rushlight.backends.cpu.workers import Job, compile_in_parallel

    wanted = [(target, tuple(f for f in target.formats if f in formats)) for target in targets]
    keys = {(target, format): code_key(target, format) for target, used in wanted for format in used}
    jobs = [Job(kernel, target, used) for target, used in wanted if used for kernel in KERNELS]
    objects: dict[tuple[Target, str], dict[str, bytes]] = defaultdict(dict)
    n_done = 0

    def done(job: Job, files: list[bytes]) -> None:
        nonlocal n_done
        n_done += 1
        for format, code in zip(job.formats, files, strict=True):
            objects[job.target, format][job.kernel] = code
        if progress:
            progress("Compiling kernels", n_done, len(jobs))

    compile_in_parallel(jobs, done)
    paths = []
    for (target, format), files in objects.items():
        paths.append(folder / archive.archive_name(target, format))
        archive.write_archive(paths[-1], files, keys[target, format])
    return paths
