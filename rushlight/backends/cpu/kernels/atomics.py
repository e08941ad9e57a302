"""Atomic operations on int64 in memory, for counters and flags that threads share."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_POINTER, _I64 = ir.PointerType(), ir.IntType(64)


@intrinsic
def fetch_add(typing_context: Any, address: Any, amount: Any) -> Any:
    """Add to an int64 in memory, atomically; what it held before."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.atomic_rmw("add", builder.inttoptr(args[0], _POINTER), args[1], "seq_cst")

    return types.intp(types.intp, types.intp), generate


@intrinsic
def load_acquire(typing_context: Any, address: Any) -> Any:
    """An int64 that another thread may write; what that thread wrote before it is seen after it."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.load_atomic(builder.inttoptr(args[0], _POINTER), "acquire", 8, typ=_I64)

    return types.intp(types.intp), generate


@intrinsic
def compare_exchange(typing_context: Any, address: Any, expected: Any, value: Any) -> Any:
    """Put `value` where an int64 in memory is `expected`, atomically; whether it was."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        pointer = builder.inttoptr(args[0], _POINTER)
        pair = builder.cmpxchg(pointer, args[1], args[2], "seq_cst", "seq_cst")
        return builder.extract_value(pair, 1)

    return types.boolean(types.intp, types.intp, types.intp), generate
