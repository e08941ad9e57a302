"""Object code for every target and system, out of one machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.attention import Attention, Heads, run_steps
from helpers.batches import Piece
from helpers.cpu import Build, cpu_backend, cpu_rows, randn, runs_here, tensor
from helpers.objects import undefined_symbols
from helpers.weights import random_weights

from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.compiler import compile_kernel
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.objects import KernelLibrary, _object_path, _read
from rushlight.backends.cpu.records import OP_BYTES
from rushlight.backends.cpu.target import TARGETS, detect_target
from rushlight.gguf import GGMLType

TRIPLES = {
    "x86_64": ("x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc", "x86_64-apple-macosx11"),
    "aarch64": ("aarch64-unknown-linux-gnu", "aarch64-pc-windows-msvc", "arm64-apple-macosx11"),
}
MAGIC = {"linux": (b"\x7fELF",), "windows": (b"\x64\x86", b"\x64\xaa"), "apple": (b"\xcf\xfa\xed\xfe",)}
# Functions of every C library; and Windows' mark of code that uses floating point, which nothing reads.
ALLOWED = {"memcpy", "memset", "memmove", "_memcpy", "_memset", "_memmove", "_fltused"}
MNEMONICS = {"avx2": "vpmaddubsw", "avxvnni": "vpdpbusd", "avx512vnni": "vpdpbusd", "neon": "sdot"}


@pytest.mark.parametrize("machine", TRIPLES)
@pytest.mark.parametrize("kernel", ["rms_norm", "serve"])
def test_object_files_for_every_system(kernel: str, machine: str) -> None:
    target = next(target for target in TARGETS if target.machine == machine)
    for triple in TRIPLES[machine]:
        code = compile_kernel(kernel, target, triple)
        system = next(name for name in MAGIC if name in triple)
        assert code.startswith(MAGIC[system])
        assert undefined_symbols(code) <= ALLOWED
        assert b"rushlight_" + kernel.encode() in code


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_a_matrix_kernel_for_every_target(target: Any) -> None:
    """The dot product is linked in and inlined, with the target's instruction, and nothing is called."""
    triple = TRIPLES[target.machine][0]
    assembly = compile_kernel("linear_q8_0", target, triple, assembly=True).decode()
    assert MNEMONICS[target.dots] in assembly
    assert "rl.dot" not in assembly
    opcodes = {line.split()[0] for line in assembly.splitlines() if line.startswith("\t")}
    assert not opcodes & {"call", "callq", "bl", "blr"}


def test_code_of_this_machine_needs_nothing() -> None:
    """Every kernel that has been compiled here, and a few that are compiled if they have not."""
    target = detect_target().target
    assert target is not None
    KernelLibrary(["serve", "add", "quantize", "linear_q4_0"], target)
    paths = [_object_path(name, target) for name in KERNELS]
    codes = [code for code in map(_read, paths) if code is not None]
    assert len(codes) >= 4
    for code in codes:
        assert undefined_symbols(code) <= ALLOWED


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
    odd = replace(best, name="odd", dots="scalar", tile_rows=3)
    return [odd, *(t for t in TARGETS if t != best and runs_here(t))]


@pytest.mark.parametrize("type", ["Q5_1", "Q8_0", "Q6_K"])
@pytest.mark.parametrize("target", other_targets(), ids=lambda t: t.name)
def test_every_target_gives_the_same_bits(target: Any, type: str) -> None:
    backend = CpuBackend(1)
    backend.target = target
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
        backend = CpuBackend(1)
        backend.target = target
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
