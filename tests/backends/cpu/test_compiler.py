"""Object code for every target and system, out of one machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from helpers.attention import Attention, Heads, run_steps
from helpers.batches import Piece
from helpers.cpu import Build, cpu_backend, cpu_rows, randn, runs_here, tensor
from helpers.objects import undefined_symbols
from helpers.weights import random_weights

from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.compiler import MOST_PAGES, PAGE_BYTES, compile_kernel
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.object_cache import ObjectCache
from rushlight.backends.cpu.object_formats import host_format
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.records import OP_BYTES
from rushlight.backends.cpu.target import TARGETS, detect_target
from rushlight.gguf import GGMLType

MAGIC = {"elf": (b"\x7fELF",), "coff": (b"\x64\x86", b"\x64\xaa"), "macho": (b"\xcf\xfa\xed\xfe",)}
ALLOWED = {"_fltused"}  # Windows' mark of code that uses floating point, which nothing reads
MNEMONICS = {
    "avx2": "vpmaddubsw",
    "avxvnni": "vpdpbusd",
    "avx512vnni": "vpdpbusd",
    "neon": "sdot",
    "i8mm": "sdot",
}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("kernel", ["rms_norm", "serve", "linear_iq1_s"])
def test_object_files_for_every_system(kernel: str, machine: str) -> None:
    target = next(target for target in TARGETS if target.machine == machine)
    for format, magic in MAGIC.items():
        code = compile_kernel(kernel, target, format)
        assert code.startswith(magic)
        assert undefined_symbols(code) <= ALLOWED
        assert b"rushlight_" + kernel.encode() in code


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_a_matrix_kernel_for_every_target(target: Any) -> None:
    """The dot product is linked in and inlined, with the target's instruction, and nothing is called."""
    assembly = compile_kernel("linear_q8_0", target, "elf", assembly=True).decode()
    assert MNEMONICS[target.dots] in assembly
    assert "rl.dot" not in assembly
    opcodes = {line.split()[0] for line in assembly.splitlines() if line.startswith("\t")}
    assert not opcodes & {"call", "callq", "bl", "blr"}


@pytest.mark.parametrize("kernel", ["linear_q4_0", "linear_q6_k"])
def test_no_vector_on_the_stack_straddles_a_cache_line(kernel: str) -> None:
    """AVX2 has too few registers for a tile: what a kernel puts on the stack is aligned."""
    target = next(target for target in TARGETS if target.name == "x86-64-v3")
    lines = compile_kernel(kernel, target, "elf", assembly=True).decode().splitlines()
    assert any("andq\t$-64, %rsp" in line for line in lines)
    spilled = [line for line in lines if "%ymm" in line and "(%rsp)" in line and "mov" in line]
    assert spilled
    for line in spilled:
        assert int(line.split("(%rsp)")[0].replace(",", " ").split()[-1] or 0) % 32 == 0, line


@pytest.mark.parametrize("target", TARGETS[:3], ids=lambda t: t.name)
def test_windows_finds_touched_what_a_kernel_has_on_the_stack(target: Any) -> None:
    """There the stack grows page by page: a small function touches them, then calls the large one."""
    assembly = compile_kernel("linear_iq1_s", target, "coff", assembly=True).decode()
    entry = assembly.split("rushlight_linear_iq1_s:")[1].split("retq")[0]
    places = [int(found) for found in re.findall(r"\t(-\d+)\(%rsp\), %e", entry)]
    assert len(places) == MOST_PAGES and places[0] >= -PAGE_BYTES
    assert {before - after for before, after in pairwise(places)} == {PAGE_BYTES}
    frames = [int(found) for found in re.findall(r"subq\t\$(\d+), %rsp", assembly)]
    assert PAGE_BYTES < max(frames) < (MOST_PAGES - 1) * PAGE_BYTES


def test_code_of_this_machine_needs_nothing() -> None:
    """Every kernel that has been compiled here, and a few that are compiled if they have not."""
    target = detect_target().target
    assert target is not None
    KernelLibrary(["serve", "add", "quantize_32", "linear_q4_0"], target)
    cache = ObjectCache(target, host_format())
    codes = [code for code in map(cache.read, KERNELS) if code is not None]
    assert len(codes) >= 4
    for code in codes:
        assert not undefined_symbols(code)


def test_the_same_sources_give_the_same_bytes() -> None:
    """In another process, another order and with other hashes of strings: Numba numbers what it makes."""
    target, names = TARGETS[0], ["gelu_mul", "pack_q4_k", "store_kv_f16", "quantize_32"]
    code = (
        "import sys; from hashlib import sha256\n"
        "from rushlight.backends.cpu.compiler import MOST_PAGES, PAGE_BYTES, compile_kernel\n"
        "from rushlight.backends.cpu.target import TARGETS\n"
        "for name in sys.argv[1:]:\n"
        "    print(name, sha256(compile_kernel(name, TARGETS[0], 'elf')).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", code, *reversed(names)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    here = {f"{name} {sha256(compile_kernel(name, target, 'elf')).hexdigest()}" for name in names}
    assert set(run.stdout.splitlines()) == here


def test_every_record_fits_its_place() -> None:
    assert all(source.record is None or source.record.itemsize <= OP_BYTES for source in KERNELS.values())
    assert OP_BYTES % 64 == 0


def test_an_object_file_is_loaded_by_its_c_name() -> None:
    target = detect_target().target
    assert target is not None
    library = KernelLibrary(["add", "serve"], target)
    assert set(library.addresses) == {"add", "serve"}
    assert all(library.addresses.values())
    with pytest.raises(KeyError, match="no kernel is called nonsense"):
        KernelLibrary(["add", "nonsense"], target)


def other_targets() -> list[Any]:
    """Every further target that this processor runs, and its own with plain dot products and odd tiles."""
    best = detect_target().target
    assert best is not None
    odd = best._replace(name="odd", dots="scalar", tile_rows=3)
    return [odd, *(t for t in TARGETS if t != best and runs_here(t))]


@pytest.mark.parametrize("type", ["Q5_1", "Q8_0", "Q6_K"])
@pytest.mark.parametrize("target", other_targets(), ids=lambda t: t.name)
def test_every_target_gives_the_same_bits(target: Any, type: str) -> None:
    backend = CpuBackend(1, target=target)
    x, weight = randn(23, 512), random_weights(GGMLType[type], 40, 512)

    def build(backend: Any) -> Any:
        matrix = backend.matrix(weight)
        return lambda ops, y: ops.linear(y, matrix)

    np.testing.assert_array_equal(cpu_rows(build, x, backend=backend), cpu_rows(build, x))


def test_every_target_attends_to_the_same_bits() -> None:
    heads = Heads(4, 2, 40, softcap=20.0)
    steps = [[Piece(range(70))], [Piece([3], 70)]]
    expected = run_steps(Attention(heads, heads.table()), steps)[0]
    others = other_targets()[1:]
    if not others:
        pytest.skip("this processor runs one target only")
    for target in others:
        backend = CpuBackend(1, target=target)
        found = run_steps(Attention(heads, heads.table(), backend=backend), steps)[0]
        np.testing.assert_array_equal(found, expected)


def test_products_and_sums_are_not_contracted() -> None:
    """``a * w + b`` of a norm is two roundings: a fused one would differ between processors."""
    x, weight, bias = randn(50, 64), randn(64, seed=1), randn(64, seed=2)

    def norm(biased: bool) -> Build:
        def build(backend: Any) -> Any:
            vectors = backend.vector(tensor(weight)), backend.vector(tensor(bias)) if biased else None
            return lambda ops, y: ops.layer_norm(y, *vectors, 1e-5)

        return build

    plain = cpu_rows(norm(False), x, backend=cpu_backend())
    np.testing.assert_array_equal(cpu_rows(norm(True), x), plain + bias)
