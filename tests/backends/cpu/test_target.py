"""Which kernels a processor gets."""

from __future__ import annotations

import io
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from rushlight.backends.cpu import features
from rushlight.backends.cpu import target as module
from rushlight.backends.cpu.target import TARGETS, detect_target
from rushlight.errors import InvalidParameter

V3 = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")
V4 = (*V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")
ARM = ("dotprod", "lse")
CPUINFO = """processor\t: 0
model name\t: A Processor
flags\t\t: fpu avx2 abm bmi1 bmi2 movbe f16c fma avx512_vnni avx_vnni

processor\t: 1
flags\t\t: fpu avx512f
"""


@pytest.fixture(autouse=True)
def not_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUSHLIGHT_TARGET", raising=False)


def pretend(monkeypatch: pytest.MonkeyPatch, machine: str, format: str, *features: str) -> None:
    monkeypatch.setattr(module, "machine", lambda: machine)
    monkeypatch.setattr(module, "host_format", lambda: format)
    monkeypatch.setattr(module, "host_processor", lambda: ("a processor", frozenset(features)))


@pytest.mark.parametrize(
    ("machine", "format", "features", "expected"),
    [
        ("x86_64", "elf", V3, "x86-64-v3"),
        ("x86_64", "coff", (*V3, "avxvnni"), "x86-64-v3-avxvnni"),
        ("x86_64", "macho", (*V4, "avx512vnni"), "x86-64-v4-vnni"),
        ("x86_64", "elf", (*V4, "avx512vnni", "avxvnni"), "x86-64-v4-vnni"),
        ("x86_64", "elf", V4, "x86-64-v3"),
        ("x86_64", "elf", V3[:-1], "none"),
        ("aarch64", "elf", ARM, "aarch64-dotprod"),
        ("aarch64", "coff", (*ARM, "i8mm"), "aarch64-i8mm"),
        ("aarch64", "elf", ("lse", "i8mm"), "none"),
        ("aarch64", "macho", ARM, "apple-m1"),
        ("aarch64", "elf", (), "none"),
        ("riscv64", "elf", (), "none"),
    ],
)
def test_the_best_target_that_runs(
    monkeypatch: pytest.MonkeyPatch, machine: str, format: str, features: tuple[str, ...], expected: str
) -> None:
    pretend(monkeypatch, machine, format, *features)
    found = detect_target()
    assert found.name == expected
    assert found.reason


def test_a_target_can_be_forced_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "x86_64", "elf", *V4, "avx512vnni")
    monkeypatch.setenv("RUSHLIGHT_TARGET", "x86-64-v3")
    assert detect_target().name == "x86-64-v3"
    monkeypatch.setenv("RUSHLIGHT_TARGET", "aarch64-dotprod")
    with pytest.raises(InvalidParameter, match=r"this processor .* runs: x86-64-v4-vnni, x86-64-v3"):
        detect_target()


@pytest.mark.parametrize(
    ("given", "expected"),
    [("AMD64", "x86_64"), ("x86_64", "x86_64"), ("arm64", "aarch64"), ("ppc64le", "ppc64le")],
)
def test_machines_have_one_name(monkeypatch: pytest.MonkeyPatch, given: str, expected: str) -> None:
    monkeypatch.setattr(features.platform, "machine", lambda: given)
    assert features.machine() == expected


def test_every_arm_mac_has_what_the_m1_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features.sys, "platform", "darwin")
    monkeypatch.setattr(features, "machine", lambda: "aarch64")
    assert features.host_processor() == ("Apple silicon", {"dotprod", "lse"})


@pytest.mark.parametrize(
    ("numbers", "expected"), [({34, 43}, {"lse", "dotprod"}), ({34, 43, 66}, {"lse", "dotprod", "i8mm"})]
)
def test_windows_on_arm_is_asked_by_number(
    monkeypatch: pytest.MonkeyPatch, numbers: set[int], expected: set[str]
) -> None:
    kernel32 = SimpleNamespace(IsProcessorFeaturePresent=lambda number: number in numbers)
    monkeypatch.setattr(features.sys, "platform", "win32")
    monkeypatch.setattr(features, "machine", lambda: "aarch64")
    monkeypatch.setattr(features.platform, "processor", lambda: "ARMv8")
    monkeypatch.setattr(features.ctypes, "windll", SimpleNamespace(kernel32=kernel32), raising=False)
    assert features.host_processor() == ("ARMv8", expected)


def test_a_process_of_32_bits_has_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features.sys, "maxsize", (1 << 31) - 1)
    monkeypatch.setattr(features.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(features.sys, "platform", "linux")
    assert features.machine() == "x86_64 with 32 bits"


@pytest.mark.parametrize(("given", "expected"), [("win-amd64", "x86_64"), ("win-arm64", "aarch64")])
def test_windows_says_what_the_process_is(monkeypatch: pytest.MonkeyPatch, given: str, expected: str) -> None:
    monkeypatch.setattr(features.sys, "platform", "win32")
    monkeypatch.setattr("sysconfig.get_platform", lambda: given)
    assert features.machine() == expected


@pytest.mark.skipif(sys.platform != "linux", reason="reads what only Linux has")
def test_linux_says_what_llvm_finds() -> None:
    """Every feature that a target of this machine needs, asked of the system and of the processor itself."""
    import llvmlite.binding as llvm

    asked, measured = features.host_processor()[1], llvm.get_host_cpu_features()
    needs = {need for target in TARGETS if target.machine == features.machine() for need in target.needs}
    assert {need for need in needs if need in asked} == {need for need in needs if measured.get(need)}


def test_linux_names_are_turned_into_llvms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features.sys, "platform", "linux")
    monkeypatch.setattr(features, "machine", lambda: "x86_64")
    monkeypatch.setattr(features, "open", lambda *_, **__: io.StringIO(CPUINFO), raising=False)
    name, found = features.host_processor()
    assert name == "A Processor"
    assert found.issuperset((*V3, "avx512vnni", "avxvnni"))
    assert "avx512f" not in found


def test_without_proc_llvm_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(features.sys, "platform", "linux")
    monkeypatch.setattr(features, "machine", lambda: "x86_64")
    monkeypatch.setattr(features, "open", refuse, raising=False)
    monkeypatch.setattr(features, "_llvm", lambda: ("llvm's name", frozenset({"avx2"})))
    assert features.host_processor() == ("llvm's name", {"avx2"})


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere LLVM is asked")
def test_linux_asks_without_llvm() -> None:
    code = (
        "import sys; from rushlight.backends.cpu.target import detect_target\n"
        "assert detect_target().reason; print([n for n in ('llvmlite', 'numba') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_names_are_unique_and_the_order_is_best_first() -> None:
    assert len({target.name for target in TARGETS}) == len(TARGETS)
    x86 = [target for target in TARGETS if target.machine == "x86_64"]
    assert all(set(x86[-1].needs) <= set(target.needs) for target in x86)
