"""Every definition of dot products on pairs of lanes gives the same integers by its instruction."""

from __future__ import annotations

import ctypes

import llvmlite.binding as llvm
import numpy as np
import pytest
from helpers.cpu import runs_here
from llvmlite import ir
from numpy.typing import NDArray

from rushlight.backends.cpu.pairs import DOT_PAIRS, define_dot_pairs
from rushlight.backends.cpu.target import TARGETS, Target

POINTER = ir.PointerType()
BYTES, SUMS = ir.VectorType(ir.IntType(8), 64), ir.VectorType(ir.IntType(32), 16)
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
INSTRUCTIONS = {
    "avx2": "vpmaddubsw", "avxvnni": "vpdpbusd", "avx512vnni": "vpdpbusd", "neon": "sdot", "i8mm": "sdot",
}  # fmt: skip
LARGEST = 63


def lower(target: Target, triple: str, dots: str) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    """``entry(sums, weights, activations)``: sums the products, in place."""
    module = ir.Module()
    module.triple = triple
    define_dot_pairs(module, dots)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER, POINTER]), "entry")
    builder = ir.IRBuilder(function.append_basic_block())
    sums, weights, activations = function.args
    start, w = builder.load(sums, align=1, typ=SUMS), builder.load(weights, align=1, typ=BYTES)
    a = builder.load(activations, align=1, typ=BYTES)
    builder.store(builder.call(module.globals[DOT_PAIRS], [start, w, a]), sums, align=1)
    builder.ret_void()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    parsed = llvm.parse_assembly(str(module))
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3
    )
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(parsed, passes)
    return parsed, machine


def check(entry: ctypes._CFuncPtr, weights: NDArray[np.uint8], activations: NDArray[np.int8]) -> None:
    start = np.random.default_rng(0).integers(-1000, 1000, 16, np.int32)
    sums = start.copy()
    entry(sums.ctypes.data, weights.ctypes.data, activations.ctypes.data)
    products = weights.astype(np.int32) * activations
    np.testing.assert_array_equal(sums, start + products.reshape(16, 4).sum(1))


@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("target", [t for t in TARGETS if runs_here(t)], ids=lambda t: t.name)
def test_the_same_integers(target: Target, scalar: bool) -> None:
    module, machine = lower(target, llvm.get_process_triple(), "scalar" if scalar else target.dots)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    entry = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(engine.get_function_address("entry"))
    check(entry, np.full(64, LARGEST, np.uint8), np.full(64, 127, np.int8))
    check(entry, np.full(64, LARGEST, np.uint8), np.full(64, -127, np.int8))
    rng = np.random.default_rng(1)
    for _ in range(10):
        weights = rng.integers(0, LARGEST + 1, 64, np.uint8)
        check(entry, weights, rng.integers(-127, 128, 64, np.int8))


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_its_instruction_and_no_call(target: Target) -> None:
    module, machine = lower(target, TRIPLES[target.machine], target.dots)
    words = machine.emit_assembly(module).replace("\t", " ").split()
    assert INSTRUCTIONS[target.dots] in words
    assert not {"call", "callq", "bl", "blr"} & set(words)
