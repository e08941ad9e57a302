"""Every definition of the table of 16 bytes gives the same bytes, or at least its instruction."""

from __future__ import annotations

import ctypes

import llvmlite.binding as llvm
import numpy as np
import pytest
from helpers.cpu import runs_here
from llvmlite import ir

from rushlight.backends.cpu.lookups import LOOKUP, define_lookup
from rushlight.backends.cpu.target import TARGETS, Target

POINTER, BYTE = ir.PointerType(), ir.IntType(8)
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
INSTRUCTIONS = {"x86_64": "vpshufb", "aarch64": "tbl"}


def lower(target: Target, triple: str) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    """``entry(table, bytes)``: 64 places in memory become what the table has there."""
    module = ir.Module()
    module.triple = triple
    define_lookup(module, target.dots)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER]), "entry")
    builder = ir.IRBuilder(function.append_basic_block())
    table = builder.load(function.args[0], align=1, typ=ir.VectorType(BYTE, 16))
    places = builder.load(function.args[1], align=1, typ=ir.VectorType(BYTE, 64))
    found = builder.call(module.globals[LOOKUP], [table, places])
    builder.store(found, function.args[1], align=1)
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


@pytest.mark.parametrize("target", [t for t in TARGETS if runs_here(t)], ids=lambda t: t.name)
def test_the_same_bytes(target: Target) -> None:
    module, machine = lower(target, llvm.get_process_triple())
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2)(engine.get_function_address("entry"))
    rng = np.random.default_rng(0)
    for _ in range(20):
        table, places = rng.integers(0, 256, 16, np.uint8), rng.integers(0, 16, 64, np.uint8)
        found = places.copy()
        call(table.ctypes.data, found.ctypes.data)
        np.testing.assert_array_equal(found, table[places])


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_its_instruction_and_no_call(target: Target) -> None:
    module, machine = lower(target, TRIPLES[target.machine])
    words = machine.emit_assembly(module).replace("\t", " ").split()
    assert any(word.startswith(INSTRUCTIONS[target.machine]) for word in words)
    assert not {"call", "callq", "bl", "blr"} & set(words)
