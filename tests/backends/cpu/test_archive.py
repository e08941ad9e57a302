"""Archives of object files: what they hold, what other tools see in them, and what is not believed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rushlight.backends.cpu import archive, inventory, workers
from rushlight.backends.cpu.archive import archive_name, read_archive, read_shipped, write_archive
from rushlight.backends.cpu.object_cache import ObjectCache, code_key
from rushlight.backends.cpu.object_formats import host_format
from rushlight.backends.cpu.objects import obtain_objects
from rushlight.backends.cpu.target import TARGETS, Target, detect_target

OBJECTS = {"add": b"odd", "rope_interleaved": b"even", "z": bytes(range(256))}
KEY = "0123456789abcdef"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_archive(tmp_path / "some.a", OBJECTS, KEY)
    return tmp_path / "some.a"


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """This machine's; with an empty cache, and archives in a folder of the test's own."""
    monkeypatch.setenv("RUSHLIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(archive, "SHIPPED", tmp_path / "shipped")
    found = detect_target().target
    assert found is not None
    return found


def test_what_was_written_is_read(path: Path) -> None:
    assert read_archive(path) == OBJECTS
    assert read_archive(path, KEY) == OBJECTS
    assert len(path.read_bytes()) % 2 == 0


@pytest.mark.skipif(shutil.which("ar") is None, reason="binutils are not installed")
def test_ar_reads_it(path: Path) -> None:
    names = subprocess.run(["ar", "t", str(path)], capture_output=True, text=True, check=True).stdout
    assert names.split() == ["SHA256SUMS", "add.o", "rope_interleaved.o", "z.o"]
    for name, code in OBJECTS.items():
        printed = subprocess.run(["ar", "p", str(path), f"{name}.o"], capture_output=True, check=True).stdout
        assert printed == code


def test_code_of_other_sources_is_not_taken(path: Path) -> None:
    assert read_archive(path, "fedcba9876543210") == {}


def test_a_damaged_member_is_left_out(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"even", b"evil"))
    assert set(read_archive(path, KEY)) == {"add", "z"}


def test_no_damage_is_an_error(path: Path) -> None:
    """Any byte may be wrong, and the end may be missing: what is found is right or nothing."""
    content = path.read_bytes()
    for place in range(len(content)):
        for damaged in (content[:place], content[:place] + b"\xff" + content[place + 1 :]):
            path.write_bytes(damaged)
            assert read_archive(path, KEY).items() <= OBJECTS.items()
    path.unlink()
    assert read_archive(path, KEY) == {}


def test_shipped_code_is_used_and_nothing_is_compiled(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "compile_in_parallel", None)
    name = archive_name(target, host_format())
    write_archive(archive.SHIPPED / name, {"add": b"shipped"}, code_key(target, host_format()))
    assert obtain_objects(["add"], target) == {"add": b"shipped"}
    ObjectCache(target, host_format()).write("add", b"of the cache")
    assert obtain_objects(["add"], target) == {"add": b"of the cache"}


def test_shipped_code_of_older_sources_is_not_used(target: Target) -> None:
    write_archive(archive.SHIPPED / archive_name(target, host_format()), {"add": b"shipped"}, KEY)
    assert read_shipped(target, host_format()) == {}


def test_the_inventory_says_what_would_be_used(target: Target) -> None:
    folder = ObjectCache(target, host_format())
    folder.write("add", b"code")
    stale = folder.folder.with_name(f"{target.name}.{host_format()}-{KEY}")
    shutil.copytree(folder.folder, stale)
    write_archive(archive.SHIPPED / archive_name(target, host_format()), OBJECTS, KEY)
    found = [(k.place, k.target, k.format, k.n_kernels, k.current) for k in inventory.find_kernels()]
    assert found[0] == ("shipped", target.name, host_format(), 3, False)
    assert sorted(found[1:]) == [
        ("cache", target.name, host_format(), 1, False),
        ("cache", target.name, host_format(), 1, True),
    ]


def test_archives_are_built_for_every_format_of_a_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[tuple[str, str]] = []

    def pretend(jobs: list[workers.Job], done: Any) -> None:
        for job in jobs:
            compiled.append((job.kernel, job.target.name))
            done(job, [f"{job.kernel} {format}".encode() for format in job.formats])

    monkeypatch.setattr(workers, "compile_in_parallel", pretend)
    monkeypatch.setattr(inventory, "KERNELS", {"add": None, "gelu": None})
    told: list[int] = []
    paths = inventory.build_archives(
        TARGETS, ("elf", "macho"), tmp_path, lambda label, done, total: told.append(done)
    )
    x86, arm = ("x86-64-v4-vnni", "x86-64-v3-avxvnni", "x86-64-v3"), ("aarch64-i8mm", "aarch64-dotprod")
    expected = {f"{t}.{f}.a" for t in x86 for f in ("elf", "macho")} | {f"{t}.elf.a" for t in arm}
    assert {path.name for path in paths} == expected | {"apple-m1.macho.a"}
    assert len(compiled) == len(set(compiled)) == 2 * len(TARGETS)
    assert told == list(range(1, len(compiled) + 1))
    assert read_archive(tmp_path / "x86-64-v3.macho.a") == {"add": b"add macho", "gelu": b"gelu macho"}


TOOL_NAMES = {
    ("x86_64", "elf"): "elf64-x86-64",
    ("x86_64", "macho"): "mach-o 64-bit x86-64",
    ("x86_64", "coff"): "coff-x86-64",
    ("aarch64", "elf"): "elf64-littleaarch64",
    ("aarch64", "macho"): "mach-o arm64",
    ("aarch64", "coff"): "coff-arm64",
}
"""What LLVM's tools call the format of each machine's object files."""


@pytest.mark.skipif(shutil.which("llvm-objdump") is None, reason="LLVM's tools are not installed")
def test_llvms_tools_find_one_function_for_the_right_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "KERNELS", {"quantize_32": None})
    paths = inventory.build_archives(TARGETS, ("elf", "macho", "coff"), tmp_path)
    assert len(paths) == 14
    for path in paths:
        target, format, _ = path.name.rsplit(".", 2)
        (machine,) = (t.machine for t in TARGETS if t.name == target)
        (member,) = read_archive(path).values()
        (tmp_path / "quantize.o").write_bytes(member)
        command = ["llvm-objdump", "-t", str(tmp_path / "quantize.o")]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert f"file format {TOOL_NAMES[machine, format]}\n" in said
        assert said.count("rushlight_quantize_32") == 1
        assert "*UND*" not in said.replace("*UND*\t0000000000000000 _fltused", "")
