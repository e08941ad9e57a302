"""Every definition of the integer dot products gives the same integers, or at least its instruction."""

from __future__ import annotations

import ctypes

import llvmlite.binding as llvm
import numpy as np
import pytest
from helpers.cpu import runs_here
from llvmlite import ir
from numpy.typing import NDArray

from rushlight.backends.cpu.definitions import define_dot
from rushlight.backends.cpu.dots import DOT_KINDS, DOTS, dot_name
from rushlight.backends.cpu.target import TARGETS, Target

LARGEST = {"u4": 15, "u5": 31, "u6": 63, "u7": 127}
ROWS = (1, 3, 4, 8)
I64, POINTER = ir.IntType(64), ir.PointerType()
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
INSTRUCTIONS = {
    "avx2": ("vpmaddubsw", "vpmaddwd"),
    "avxvnni": ("{vex} vpdpbusd", "%ymm"),
    "avx512vnni": ("vpdpbusd", "%zmm"),
    "neon": ("sdot",),
    "i8mm": ("smmla",),
}


RUNNING = [t for t in TARGETS if runs_here(t)]
RUNNING += [t._replace(name=f"scalar-{t.name}", dots="scalar") for t in RUNNING]


def caller(kind: str, rows: int, instructions: str, in_memory: bool) -> ir.Module:
    """``call(tile, weights, activations, stride, sums)``: the dot product on memory, the tile in place."""
    module = ir.Module()
    define_dot(module, kind, rows, in_memory, instructions)
    vector, tile = ir.VectorType(ir.IntType(8), 64), ir.ArrayType(ir.VectorType(ir.IntType(32), 16), rows)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, I64, I64]), "call")
    builder = ir.IRBuilder(function.append_basic_block())
    into, weights, activations, stride, sums = function.args
    loaded = [
        builder.load(builder.gep(weights, [I64(64 * j)], source_etype=ir.IntType(8)), align=1, typ=vector)
        for j in range(DOT_KINDS[kind].vectors)
    ]
    given = [builder.ptrtoint(weights, I64)] if in_memory else loaded
    start = builder.load(into, align=1, typ=tile)
    numbers = [activations, stride, *([sums, I64(4)] if DOT_KINDS[kind].signed else [])]
    result = builder.call(module.globals[dot_name(kind, rows, in_memory)], [start, *given, *numbers])
    builder.store(result, into, align=1)
    builder.ret_void()
    return module


def lower(module: ir.Module, target: Target, triple: str) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    text = str(module).replace('target triple = "unknown-unknown-unknown"', f'target triple = "{triple}"')
    parsed = llvm.parse_assembly(text)
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3
    )
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(parsed, builder)
    return parsed, machine


def aligned(weights: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy that begins where a cache line does."""
    room = np.zeros(len(weights) + 64, np.uint8)
    start = -room.ctypes.data % 64
    room[start : start + len(weights)] = weights
    return room[start : start + len(weights)]


class Dot:
    """A definition that runs on this processor."""

    def __init__(self, kind: str, rows: int, target: Target, in_memory: bool) -> None:
        module, machine = lower(caller(kind, rows, target.dots, in_memory), target, llvm.get_process_triple())
        self._engine = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()
        address = self._engine.get_function_address("call")
        self._call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3)(address)
        self._of_sum = -128 >> DOT_KINDS[kind].shift

    def __call__(
        self, tile: NDArray[np.int32], weights: NDArray[np.uint8], activations: NDArray[np.int8], stride: int
    ) -> NDArray[np.int32]:
        result, n, weights = tile.copy(), len(weights) // 16, aligned(weights)
        rows = [activations[m * stride : m * stride + n].astype(np.int32) for m in range(len(tile))]
        sums = np.array([self._of_sum * row.sum() for row in rows], np.int32)
        self._call(result.ctypes.data, weights.ctypes.data, activations.ctypes.data, stride, sums.ctypes.data)
        return result


def exact(
    kind: str, tile: NDArray[np.int32], weights: NDArray[np.uint8], activations: NDArray[np.int8], stride: int
) -> NDArray[np.int64]:
    """Weights [vectors, 16 lanes, 4] times the first ``vectors * 4`` activations of each row."""
    vectors = DOT_KINDS[kind].vectors
    w = weights.view(np.int8 if DOT_KINDS[kind].signed else np.uint8).reshape(vectors, 16, 4).astype(np.int64)
    rows = [activations[m * stride : m * stride + 4 * vectors].reshape(vectors, 4) for m in range(len(tile))]
    return tile + np.einsum("jlb,mjb->ml", w, np.stack(rows).astype(np.int64))


def cases(kind: str, rows: int) -> list[tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int8], int]]:
    """Random bytes, and the ends of every range in each combination of signs."""
    vectors, stride = DOT_KINDS[kind].vectors, 4 * DOT_KINDS[kind].vectors + 13
    rng = np.random.default_rng(rows)
    low, high = (-128, 127) if DOT_KINDS[kind].signed else (0, LARGEST[kind])
    n_weights, n_activations = 64 * vectors, rows * stride

    def weights(values: NDArray[np.int64]) -> NDArray[np.uint8]:
        return (values & 0xFF).astype(np.uint8)

    def tile() -> NDArray[np.int32]:
        return rng.integers(-(2**20), 2**20, (rows, 16)).astype(np.int32)

    found = []
    for _ in range(20):
        random = rng.integers(low, high + 1, n_weights), rng.integers(-127, 128, n_activations)
        ends = rng.choice([low, high], n_weights), rng.choice([-127, 127], n_activations)
        found += [(tile(), weights(w), a.astype(np.int8), stride) for w, a in (random, ends)]
    for w in (low, high):
        for a in (-127, 0, 127):
            filled = np.full(n_weights, w), np.full(n_activations, a, np.int8)
            found.append((tile(), weights(filled[0]), filled[1], stride))
    return found


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("kind", DOT_KINDS)
@pytest.mark.parametrize("target", RUNNING, ids=lambda t: t.name)
def test_the_same_integers(target: Target, kind: str, rows: int, in_memory: bool) -> None:
    dot = Dot(kind, rows, target, in_memory)
    for case in cases(kind, rows):
        np.testing.assert_array_equal(dot(*case), exact(kind, *case))


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("kind", DOT_KINDS)
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_its_instruction_and_no_call(target: Target, kind: str, in_memory: bool) -> None:
    """Code for processors that are not here can at least be read."""
    module, machine = lower(caller(kind, 4, target.dots, in_memory), target, TRIPLES[target.machine])
    assembly = machine.emit_assembly(module)
    lines = [line.replace("\t", " ").strip() for line in assembly.splitlines()]
    paired = DOT_KINDS[kind].run > 1
    for instruction in INSTRUCTIONS[target.dots] if paired or target.dots != "i8mm" else ("sdot",):
        assert any(instruction in line for line in lines), assembly
    assert not [line for line in lines if line.split(" ")[0] in {"call", "callq", "bl", "blr"}], assembly
    if target.dots == "avxvnni":
        assert "%zmm" not in assembly


@pytest.mark.parametrize("kind", DOT_KINDS)
def test_sums_in_16_bits_cannot_saturate(kind: str) -> None:
    """What AVX2 adds up in 16 bits before it widens: the reason for how many vectors a kind takes."""
    largest = LARGEST.get(kind, 128)
    assert DOT_KINDS[kind].run * 2 * largest * 127 < 2**15
    assert DOT_KINDS[kind].run * 4 * largest * 127 >= 2**15


def test_every_definition_is_held_to_something() -> None:
    assert set(DOTS) == {"scalar", *INSTRUCTIONS}
    assert {target.dots for target in TARGETS} == set(INSTRUCTIONS)
