"""The cache of object files: what a process finds, mends and leaves behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rushlight.backends.cpu import archive, object_cache, workers
from rushlight.backends.cpu.object_cache import ObjectCache
from rushlight.backends.cpu.object_formats import host_format
from rushlight.backends.cpu.objects import KernelLibrary, obtain_objects
from rushlight.backends.cpu.target import TARGETS, Target, detect_target

NAMES = ["add", "outputs"]


@pytest.fixture
def target() -> Target:
    found = detect_target().target
    assert found is not None
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and nothing shipped."""
    monkeypatch.setenv("RUSHLIGHT_HOME", str(tmp_path))
    monkeypatch.setattr(archive, "SHIPPED", tmp_path / "shipped")
    return tmp_path


def files(home: Path, pattern: str = "*") -> list[Path]:
    return sorted(home.glob(f"kernels/*/{pattern}"))


LOAD = (
    "import sys; from rushlight.backends.cpu import archive\n"
    "archive.SHIPPED = archive.SHIPPED / 'nothing'\n"
    "from rushlight.backends.cpu.objects import KernelLibrary\n"
    "from rushlight.backends.cpu.target import detect_target\n"
    f"library = KernelLibrary({NAMES}, detect_target().target)\n"
    "assert all(library.addresses.values()); print('numba' in sys.modules)"
)


def test_only_what_is_missing_is_compiled_and_never_here(
    home: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    compile_all = workers.compile_in_parallel

    def spy(jobs: list[Any], done: Any) -> None:
        compiled.extend(job.kernel for job in jobs)
        compile_all(jobs, done)

    monkeypatch.setattr(workers, "compile_in_parallel", spy)
    monkeypatch.setattr(workers, "compile_objects", None)
    KernelLibrary(["add"], target)
    KernelLibrary(NAMES, target)
    KernelLibrary(NAMES, target)
    assert compiled == ["add", "outputs"]
    assert [path.name for path in files(home, "*.o")] == ["add.o", "outputs.o"]


def test_more_kernels_join_a_library(home: Path, target: Target) -> None:
    library = KernelLibrary(["add"], target)
    address = library.addresses["add"]
    library.require(["add", "outputs"])
    assert library.addresses["add"] == address
    assert set(library.addresses) == {"add", "outputs"}


def damage(cache: ObjectCache, other: ObjectCache, kind: str) -> bytes:
    """What lies in place of kernel "add" when something has gone wrong."""
    good = (cache.folder / "add.o").read_bytes()
    flipped = bytearray(good)
    flipped[5] ^= 1
    other.write("add", b"the code of another processor")
    return {
        "truncated": good[:-7],
        "flipped": bytes(flipped),
        "foreign": b"\x7fELF" + bytes(999),
        "empty": b"",
        "of another kernel": (cache.folder / "outputs.o").read_bytes(),
        "of another target": (other.folder / "add.o").read_bytes(),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["truncated", "flipped", "foreign", "empty", "of another kernel", "of another target"]
)
def test_a_file_that_is_not_what_its_name_says_is_made_again(
    home: Path, target: Target, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "compile_in_parallel", pretend_to_compile)
    cache = ObjectCache(target, host_format())
    other = ObjectCache(next(t for t in TARGETS if t != target), host_format())
    obtain_objects(NAMES, target)
    (cache.folder / "add.o").write_bytes(damage(cache, other, kind))
    assert cache.read("add") is None
    assert obtain_objects(["add"], target) == {"add": b"code of add"}
    assert cache.read("add") == b"code of add"


def pretend_to_compile(jobs: list[workers.Job], done: Any) -> None:
    for job in jobs:
        done(job, [f"code of {job.kernel}".encode()])


def test_a_folder_that_cannot_be_written_is_no_error(home: Path, target: Target) -> None:
    (home / "kernels").write_text("a file where the folder should be")
    assert KernelLibrary(["outputs"], target).addresses["outputs"]


def test_of_two_processes_one_compiles_and_the_other_waits(home: Path) -> None:
    runs = [subprocess.Popen([sys.executable, "-c", LOAD], stdout=subprocess.PIPE) for _ in range(2)]
    assert [run.communicate(timeout=60)[0].strip() for run in runs] == [b"False", b"False"]
    assert [run.returncode for run in runs] == [0, 0]
    assert [path.name for path in files(home)] == ["add.o", "lock", "outputs.o"]  # and no temporary file


def test_what_another_process_makes_meanwhile_is_taken(
    home: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ObjectCache(target, host_format())

    @contextmanager
    def lock(self: ObjectCache) -> Iterator[None]:
        cache.write("add", b"made meanwhile")
        yield

    monkeypatch.setattr(ObjectCache, "lock", lock)
    monkeypatch.setattr(workers, "compile_in_parallel", pretend_to_compile)
    assert obtain_objects(NAMES, target) == {"add": b"made meanwhile", "outputs": b"code of outputs"}


def test_progress_is_told_only_of_what_is_compiled(
    home: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "compile_in_parallel", pretend_to_compile)
    told: list[tuple[str, int, int | None]] = []
    obtain_objects(NAMES, target, lambda *news: told.append(news))
    assert [(done, total) for _, done, total in told] == [(0, 2), (1, 2), (2, 2)]
    told.clear()
    obtain_objects(NAMES, target, lambda *news: told.append(news))
    assert told == []


def test_the_name_of_the_folder_changes_with_all_that_shapes_the_code(
    home: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ObjectCache(target, "elf").folder
    assert ObjectCache(target._replace(features="+more"), "elf").folder != first
    assert ObjectCache(target, "coff").folder != first
    monkeypatch.setattr(object_cache, "_source_digest", lambda: b"other sources")
    assert ObjectCache(target, "elf").folder != first


def test_an_unknown_kernel_is_refused(target: Target) -> None:
    with pytest.raises(KeyError, match="frobnicate"):
        KernelLibrary(["frobnicate"], target)
