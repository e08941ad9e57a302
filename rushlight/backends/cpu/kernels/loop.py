"""The loop that replays a program: every thread runs every op, with a barrier behind each.

Thread 0, the caller's, posts a program (`lead`); the others wait for programs (`serve`), spinning for a
moment, since in a running generation the next one comes soon, and then asleep in Python. A program is posted
only while no thread is asleep, in one native call that also finishes it: whatever interrupts the caller in
Python, no thread is ever left waiting within a program. One that has chosen its next tokens begins anew (see
`kernels.next_token`).

A thread at a barrier spins, then gives its processor away at every look. Where that was necessary, threads
probably outnumber processors, and it spins less at the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.definitions import PAUSE
from rushlight.backends.cpu.kernels.atomics import compare_exchange, fetch_add, load_acquire
from rushlight.backends.cpu.kernels.work import inline, larger, smaller
from rushlight.backends.cpu.records import (
    AGAIN,
    ASLEEP_LIMIT,
    LEAST_SPINS,
    MOST_SPINS,
    OP_BYTES,
    TEAM,
    offset,
)
from rushlight.backends.cpu.simd import load_i64, store_i64
from rushlight.backends.cpu.target import Target

_I64 = ir.IntType(64)
_PHASE, _POSTED, _FINISHED, _SPINS = (offset(TEAM, name) for name in ("phase", "posted", "finished", "spins"))

IDLE_YIELDS = 200
"""Looks after that before a thread goes to sleep: again some tens of microseconds."""

PATIENCE = 20_000
"""Looks for threads to wake up before the caller is asked to wake them once more."""


@intrinsic
def _call_kernel(typing_context: Any, kernel: Any, op: Any, step: Any, thread: Any, n_threads: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [_I64] * 4)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


@intrinsic
def _yield_thread(typing_context: Any, function: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def _pause(typing_context: Any) -> Any:
    """Leave the core to its other hardware thread for a moment; each machine has an instruction for it."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [])
        function = builder.module.globals.get(PAUSE) or ir.Function(builder.module, kind, PAUSE)
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), generate


@inline
def _wait(team, looks, spins):
    """Between two looks."""
    if looks < spins:
        _pause()
    else:
        _yield_thread(team.yield_thread)


@inline
def _meet(team, n_threads, finished_op, spins):
    """Wait until every thread is here; how long to spin next time.

    The last one resets the finished op's counter and frees the others.
    """
    phase = load_acquire(team.address + _PHASE)
    if fetch_add(team.address, 1) == n_threads - 1:
        store_i64(team.address, 0)
        # Written only if need be: the others have its line in their caches, with what the op works on.
        if load_i64(finished_op + 8) != 0:
            store_i64(finished_op + 8, 0)
        fetch_add(team.address + _PHASE, 1)
        return spins
    looks = 0
    while load_acquire(team.address + _PHASE) == phase:
        _wait(team, looks, spins)
        looks += 1
    if looks > spins:
        return larger(LEAST_SPINS, spins // 2)
    return smaller(MOST_SPINS, spins * 2)


@inline
def _replay(team, thread, n_threads):
    """Run the ops of the program at hand, at least one; a record whose kernel is 0 or `AGAIN` ends it."""
    first, step, spins = team.program, team.step, team.spins
    op = first
    kernel = load_i64(op)
    while kernel != 0:
        _call_kernel(kernel, op, step, thread, n_threads)
        # Read before the barrier: behind the last one the program belongs to the caller again.
        kernel = load_i64(op + OP_BYTES)
        if n_threads > 1:
            spins = _meet(team, n_threads, op, spins)
        else:
            store_i64(op + 8, 0)
        op += OP_BYTES
        if kernel == AGAIN:
            op = first
            kernel = load_i64(op)
    if thread == 0:
        store_i64(team.address + _SPINS, spins)


@inline
def _post(team):
    """Hand the program out to all threads; False while one of them is still asleep."""
    for looks in range(PATIENCE):
        posted = load_acquire(team.address + _POSTED)
        awake = posted % ASLEEP_LIMIT == 0
        if awake and compare_exchange(team.address + _POSTED, posted, posted + ASLEEP_LIMIT):
            return True
        _wait(team, looks, team.spins)
    return False


def lead(team, step, thread, n_threads):
    """Run the team's program as thread 0, which sets `finished`; it is left at 0 where a thread is asleep."""
    if n_threads == 1 or _post(team):
        _replay(team, thread, n_threads)
        store_i64(team.address + _FINISHED, 1)


def serve(team, step, thread, n_threads):
    """Run programs as a thread that was asleep; return, asleep again, when none has come for a while."""
    n_posted = fetch_add(team.address + _POSTED, -1) // ASLEEP_LIMIT
    looks = 0
    while True:
        posted = load_acquire(team.address + _POSTED)
        if posted // ASLEEP_LIMIT != n_posted:
            n_posted += 1
            _replay(team, thread, n_threads)
            looks = 0
        elif looks < MOST_SPINS + IDLE_YIELDS:
            _wait(team, looks, team.spins)
            looks += 1
        elif compare_exchange(team.address + _POSTED, posted, posted + 1):
            return


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """Both sides of the loop, by name."""
    return {"lead": lead, "serve": serve}
