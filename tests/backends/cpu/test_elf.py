"""Our own linker against what LLVM reads in the same object files, and against LLVM's linker."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from helpers.cpu import cpu_rows, randn
from helpers.weights import random_weights

from rushlight.backends.cpu import CpuBackend, loader, objects
from rushlight.backends.cpu.compiler import compile_kernel
from rushlight.backends.cpu.elf import link_kernels
from rushlight.backends.cpu.loader import load_code, load_with_llvm
from rushlight.backends.cpu.objects import obtain_objects
from rushlight.backends.cpu.target import TARGETS, detect_target
from rushlight.errors import BackendUnavailable
from rushlight.gguf import GGMLType

ARM = next(target for target in TARGETS if target.name == "aarch64-dotprod")
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="LLVM's linker is used elsewhere")


def sections(file: bytes) -> dict[str, bytes]:
    """The sections of an object file, as LLVM reads them."""
    found = llvm.ObjectFileRef.from_data(file).sections()
    return {section.name().decode(): section.data() for section in found if section.name()}


def loaded_addresses(code: bytes, base: int) -> list[int]:
    """Addresses that pairs of ``adrp`` and a 128-bit load make, in Arm code that lies at `base`."""
    pages: dict[int, int] = {}
    found = []
    for i, word in enumerate(np.frombuffer(code, "<u4").tolist()):
        if word & 0x9F000000 == 0x90000000:
            distance = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
            distance -= distance >> 20 << 21
            pages[word & 31] = (base + 4 * i & ~0xFFF) + (distance << 12)
        elif word & 0xFFC00000 == 0x3DC00000 and (word >> 5 & 31) in pages:
            found.append(pages.pop(word >> 5 & 31) + (word >> 10 & 0xFFF) * 16)
    return found


def test_arm_code_finds_its_own_constants() -> None:
    """Each load of several kernels, beyond the first page of the image, and no constant is left unused."""
    names = ["quantize_32", "rms_norm", "silu_mul", "store_kv_f16", "gelu_mul"]
    files = {name: compile_kernel(name, ARM, "elf") for name in names}
    image, starts = link_kernels(files)
    assert starts["gelu_mul"] > 4096
    for name, file in files.items():
        text, constants = sections(file)[".text"], sections(file).get(".rodata.cst16", b"")
        places = loaded_addresses(image[starts[name] : starts[name] + len(text)], starts[name])
        found = {image[place : place + 16] for place in places}
        assert found == {constants[i : i + 16] for i in range(0, len(constants), 16)}
        assert all(place % 16 == 0 for place in places)
    assert starts["gelu_mul"] % 64 == 0


@pytest.mark.parametrize("file", [b"", b"\x7fELF\x01\x01" + bytes(60), b"MZ" + bytes(200)])
def test_what_is_no_such_object_file_is_refused(file: bytes) -> None:
    with pytest.raises(ValueError, match="no ELF object file"):
        link_kernels({"add": file})


def test_code_that_calls_another_function_is_refused() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = "x86_64-unknown-linux-gnu"
    module = llvm.parse_assembly(
        f'target triple = "{triple}"\ndeclare void @other()\n'
        "define void @rushlight_add() {\n call void @other()\n call void @other()\n ret void\n}"
    )
    machine = llvm.Target.from_triple(triple).create_target_machine(reloc="pic", codemodel="small")
    with pytest.raises(ValueError, match="to 'other'"):
        link_kernels({"add": machine.emit_object(module)})


@ON_LINUX
def test_both_linkers_give_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = randn(9, 256), random_weights(GGMLType.Q6_K, 40, 256)

    def build(backend: Any) -> Any:
        matrix = backend.matrix(weight)
        return lambda ops, y: ops.silu_mul(ops.linear(y, matrix), ops.linear(y, matrix))

    ours = cpu_rows(build, x, backend=CpuBackend(1))
    monkeypatch.setattr(objects, "load_code", load_with_llvm)
    np.testing.assert_array_equal(cpu_rows(build, x, backend=CpuBackend(1)), ours)


@ON_LINUX
def test_where_no_file_can_be_mapped_llvm_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> int:
        raise PermissionError(name)

    target = detect_target().target
    assert target is not None
    files = obtain_objects(["add"], target)
    monkeypatch.setattr(loader.os, "memfd_create", refuse)
    assert load_code(files).addresses["add"]


def test_where_no_code_can_be_loaded_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(files: Any) -> Any:
        raise RuntimeError("no executable memory")

    monkeypatch.setattr(loader, "load_mapped", lambda files: link_kernels({"add": b""}))
    monkeypatch.setattr(loader, "load_with_llvm", refuse)
    with pytest.raises(BackendUnavailable, match=r"no executable memory.*reference"):
        load_code({})


@ON_LINUX
def test_a_warm_process_imports_neither_llvm_nor_numba() -> None:
    target = detect_target().target
    assert target is not None
    obtain_objects(["add"], target)
    code = (
        "import sys; from rushlight.backends.cpu.objects import KernelLibrary\n"
        "from rushlight.backends.cpu.target import detect_target\n"
        "assert KernelLibrary(['add'], detect_target().target).addresses['add']\n"
        "print([n for n in ('llvmlite', 'numba', 'subprocess', 'filelock') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
