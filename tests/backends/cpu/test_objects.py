"""The cache of object files: what a process finds, mends and leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rushlight.backends.cpu import objects
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.target import Target, detect_target

NAMES = ["add", "outputs"]


@pytest.fixture
def target() -> Target:
    found = detect_target().target
    assert found is not None
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUSHLIGHT_HOME", str(tmp_path))
    return tmp_path / "kernels"


def load_elsewhere() -> str:
    """Load kernels in a process of its own; the heavy modules that this took."""
    code = (
        "import sys; from rushlight.backends.cpu.objects import KernelLibrary\n"
        "from rushlight.backends.cpu.target import detect_target\n"
        f"library = KernelLibrary({NAMES}, detect_target().target)\n"
        "assert all(library.addresses.values()); print('numba' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_only_the_first_process_compiles(folder: Path) -> None:
    assert load_elsewhere() == "True"
    assert len(list(folder.glob("*.o"))) == len(NAMES)
    assert load_elsewhere() == "False"


@pytest.mark.parametrize("damage", ["truncated", "flipped", "foreign", "empty"])
def test_a_damaged_file_is_made_again(folder: Path, target: Target, damage: str) -> None:
    KernelLibrary(["add"], target)
    (path,) = folder.glob("*.o")
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[100] ^= 1
    path.write_bytes(
        {"truncated": good[:-7], "flipped": bytes(flipped), "foreign": b"\x7fELF" + bytes(999), "empty": b""}[
            damage
        ]
    )
    library = KernelLibrary(["add"], target)
    assert library.addresses["add"]
    assert objects._read(path) is not None


def test_a_folder_that_cannot_be_written_is_no_error(folder: Path, target: Target) -> None:
    folder.write_text("a file where the folder should be")
    assert KernelLibrary(["outputs"], target).addresses["outputs"]


def test_two_processes_at_once_both_work(folder: Path) -> None:
    code = (
        "from rushlight.backends.cpu.objects import KernelLibrary\n"
        "from rushlight.backends.cpu.target import detect_target\n"
        f"assert all(KernelLibrary({NAMES}, detect_target().target).addresses.values())"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert len(list(folder.iterdir())) == len(NAMES)  # and no temporary file


def test_progress_is_told_only_of_what_is_compiled(folder: Path, target: Target) -> None:
    told: list[tuple[str, int, int | None]] = []
    KernelLibrary(NAMES, target, lambda *news: told.append(news))
    assert [(done, total) for _, done, total in told] == [(0, 2), (1, 2), (2, 2)]
    told.clear()
    KernelLibrary(NAMES, target, lambda *news: told.append(news))
    assert told == []


def test_the_name_of_a_file_changes_with_all_that_shapes_the_code(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = objects._object_path("add", target)
    assert objects._object_path("outputs", target) != first
    monkeypatch.setattr(objects, "_source_digest", lambda: b"other sources")
    assert objects._object_path("add", target) != first


def test_an_unknown_kernel_is_refused(target: Target) -> None:
    with pytest.raises(KeyError, match="frobnicate"):
        KernelLibrary(["frobnicate"], target)
