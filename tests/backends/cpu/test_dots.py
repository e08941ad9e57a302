"""The integer dot product of every instruction set, against NumPy, up to the edge of overflow."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir
from numpy.typing import NDArray

from rushlight.backends.cpu.dots import DOT_KINDS, DOTS, define_dot, dot_name
from rushlight.backends.cpu.target import TARGETS, Target, detect_target

LIMITS = {"u4": (0, 15), "u5": (0, 31), "u6": (0, 63), "s8": (-128, 127)}
ROWS = 3
RUNNABLE = {"scalar"} | {
    t.dots
    for t in TARGETS
    if t.machine == "x86_64" and all(llvm.get_host_cpu_features().get(n) for n in t.needs)
}


def module(kind: str, instructions: str, rows: int = ROWS) -> ir.Module:
    """The dot product behind a function of addresses: (tile, weights, activations, stride)."""
    module = ir.Module()
    define_dot(module, kind, rows, instructions)
    word, pointer, n = ir.IntType(64), ir.PointerType(), DOT_KINDS[kind].vectors
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [word] * 4), "entry")
    builder = ir.IRBuilder(function.append_basic_block())
    tile_type, vector = (
        ir.ArrayType(ir.VectorType(ir.IntType(32), 16), rows),
        ir.VectorType(ir.IntType(8), 64),
    )
    tile = builder.inttoptr(function.args[0], pointer)
    places = [builder.inttoptr(builder.add(function.args[1], word(64 * j)), pointer) for j in range(n)]
    weights = [builder.load(place, align=1, typ=vector) for place in places]
    start = builder.load(tile, align=4, typ=tile_type)
    result = builder.call(module.globals[dot_name(kind, rows)], [start, *weights, *function.args[2:]])
    builder.store(result, tile, align=4)
    builder.ret_void()
    return module


def machine_of(target: Target | None, triple: str | None = None) -> llvm.TargetMachine:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    chosen = llvm.Target.from_triple(triple or llvm.get_process_triple())
    cpu, features = (target.cpu, target.features) if target else ("", "")
    return chosen.create_target_machine(cpu=cpu, features=features, opt=3, reloc="pic", codemodel="small")


@contextmanager
def native(kind: str, instructions: str) -> Iterator[Callable[..., None]]:
    target = next((t for t in TARGETS if t.dots == instructions), None)
    machine = machine_of(target)
    code = machine.emit_object(
        llvm.parse_assembly(
            str(module(kind, instructions)).replace(
                ' "unknown-unknown-unknown"', f' "{llvm.get_process_triple()}"'
            )
        )
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine_of(None))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    yield ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(engine.get_function_address("entry"))


def cases(kind: str) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int8]]]:
    """Weights [vectors, 16 rows, 4] and activations [rows, vectors * 4]."""
    low, high = LIMITS[kind]
    n = DOT_KINDS[kind].vectors
    rng = np.random.default_rng(0)
    for extreme in (low, high):
        for sign in (127, -127):
            yield np.full((n, 16, 4), extreme), np.full((ROWS, 4 * n), sign, np.int8)
    for _ in range(40):
        activations = rng.integers(-127, 128, (ROWS, 4 * n)).astype(np.int8)
        yield rng.integers(low, high + 1, (n, 16, 4)), activations
        yield (
            rng.choice([low, high, 0], (n, 16, 4)),
            rng.choice([-127, 127, 0], (ROWS, 4 * n)).astype(np.int8),
        )


@pytest.mark.parametrize("kind", DOT_KINDS)
@pytest.mark.parametrize("instructions", sorted(RUNNABLE))
def test_every_instruction_set_gives_the_same_integers(kind: str, instructions: str) -> None:
    with native(kind, instructions) as dot:
        for weights, activations in cases(kind):
            start = np.arange(16 * ROWS, dtype=np.int32).reshape(ROWS, 16) * 1000 - 20000
            tile, packed = start.copy(), weights.astype(np.uint8 if weights.min() >= 0 else np.int8)
            stride = activations.shape[1] + 5
            spread = np.full((ROWS, stride), -1, np.int8)
            spread[:, : activations.shape[1]] = activations
            dot(tile.ctypes.data, packed.ctypes.data, spread.ctypes.data, stride)
            grouped = activations.reshape(ROWS, -1, 4).astype(np.int64)
            np.testing.assert_array_equal(tile, start + np.einsum("jrk,mjk->mr", weights, grouped))


@pytest.mark.parametrize(
    ("instructions", "triple", "mnemonic"),
    [
        ("avx2", "x86_64-unknown-linux-gnu", "vpmaddubsw"),
        ("avxvnni", "x86_64-unknown-linux-gnu", "vpdpbusd"),
        ("avx512vnni", "x86_64-pc-windows-msvc", "vpdpbusd"),
        ("neon", "aarch64-unknown-linux-gnu", "sdot"),
        ("neon", "arm64-apple-macosx11.0.0", "sdot"),
    ],
)
@pytest.mark.parametrize("kind", DOT_KINDS)
def test_every_definition_uses_its_instruction(
    kind: str, instructions: str, triple: str, mnemonic: str
) -> None:
    target = next(t for t in TARGETS if t.dots == instructions)
    text = str(module(kind, instructions)).replace("unknown-unknown-unknown", triple)
    assembly = machine_of(target, triple).emit_assembly(llvm.parse_assembly(text))
    assert assembly.count(mnemonic) >= ROWS * DOT_KINDS[kind].vectors
    calls = [line for line in assembly.splitlines() if "call" in line]
    assert all(dot_name(kind, ROWS) in line for line in calls), "nothing but the dot product itself is called"


def test_every_target_has_a_definition() -> None:
    assert {target.dots for target in TARGETS} == set(DOTS) - {"scalar"}
    assert detect_target().target is None or detect_target().target.dots in RUNNABLE | {"neon"}  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", DOT_KINDS)
def test_sums_of_sixteen_bits_cannot_overflow(kind: str) -> None:
    largest = max(abs(limit) for limit in LIMITS[kind])
    assert DOT_KINDS[kind].vectors * 2 * largest * 127 < 2**15
