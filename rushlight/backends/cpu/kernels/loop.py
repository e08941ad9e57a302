"""The loop that replays a program: every thread runs every op, with a barrier behind each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.dots import PAUSE
from rushlight.backends.cpu.kernels.work import fetch_add, inline
from rushlight.backends.cpu.records import OP_BYTES
from rushlight.backends.cpu.simd import load_i64, store_i64
from rushlight.backends.cpu.target import Target

_POINTER, _I64 = ir.PointerType(), ir.IntType(64)
SPINS = 1000
"""Looks at the barrier before the thread gives its processor away: some tens of microseconds."""


@intrinsic
def _call_kernel(typing_context: Any, kernel: Any, op: Any, step: Any, thread: Any, n_threads: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [_I64] * 4)
        builder.call(ir_cast(builder, args[0], kind), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


@intrinsic
def _yield_thread(typing_context: Any, function: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        builder.call(ir_cast(builder, args[0], ir.FunctionType(ir.IntType(32), [])), [])
        return context.get_dummy_value()

    return types.void(types.intp), generate


def ir_cast(builder: ir.IRBuilder, address: ir.Value, kind: ir.FunctionType) -> ir.Value:
    """An address as a function of type `kind`."""
    return builder.inttoptr(address, kind.as_pointer())


@intrinsic
def _pause(typing_context: Any) -> Any:
    """Leave the core to its other hardware thread for a moment; each machine has an instruction for it."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [])
        function = builder.module.globals.get(PAUSE) or ir.Function(builder.module, kind, PAUSE)
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _load_acquire(typing_context: Any, address: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.load_atomic(builder.inttoptr(args[0], _POINTER), "acquire", 8, typ=_I64)

    return types.intp(types.intp), generate


@inline
def _wait_for_all(barrier, yield_thread, n_threads, finished_op):
    """Wait until every thread is here. The last one resets the finished op's counter and frees the others."""
    phase = _load_acquire(barrier + 64)
    if fetch_add(barrier, 1) == n_threads - 1:
        store_i64(barrier, 0)
        store_i64(finished_op + 8, 0)
        fetch_add(barrier + 64, 1)
    else:
        spins = 0
        while _load_acquire(barrier + 64) == phase:
            spins += 1
            _pause()
            if spins > SPINS:
                _yield_thread(yield_thread)


def run(program, step, thread, n_threads):
    """Replay the ops from `program` on; a record whose kernel is 0 ends it."""
    op = program.address
    while load_i64(op) != 0:
        _call_kernel(load_i64(op), op, step.address, thread, n_threads)
        if n_threads > 1:
            _wait_for_all(step.barrier, step.yield_thread, n_threads, op)
        else:
            store_i64(op + 8, 0)
        op += OP_BYTES


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The loop, by name."""
    return {"run": run}
