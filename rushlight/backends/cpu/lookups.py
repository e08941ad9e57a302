"""A table of 16 bytes looked up for 64 bytes at once, by the shuffle of each instruction set.

A kernel calls ``rl.lookup``, left undefined until code is made for a target (as `dots` are). All definitions
give the same bytes for places from 0 to 15.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

_I8, _I32 = ir.IntType(8), ir.IntType(32)
_BYTES, _TABLE = ir.VectorType(_I8, 64), ir.VectorType(_I8, 16)

LOOKUP = "rl.lookup"
LOOKUP_TYPE = ir.FunctionType(_BYTES, [_TABLE, _BYTES])
"""``lookup(table, places)``."""

Shuffle = Callable[[ir.IRBuilder, ir.Value, ir.Value], ir.Value]
"""Looks places up in as many bytes of repeated tables."""


def _lanes(start: int, count: int, period: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(_I32, count), [start + i % period for i in range(count)])


def _call(builder: ir.IRBuilder, name: str, *args: ir.Value) -> ir.Value:
    kind = ir.FunctionType(args[0].type, [a.type for a in args])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, args)


def _shuffle(name: str) -> Shuffle:
    return lambda builder, table, places: _call(builder, name, table, places)


_WIDTHS: dict[str, tuple[int, Shuffle]] = {
    "avx2": (32, _shuffle("llvm.x86.avx2.pshuf.b")),
    "avxvnni": (32, _shuffle("llvm.x86.avx2.pshuf.b")),
    "avx512vnni": (64, _shuffle("llvm.x86.avx512.pshuf.b.512")),
    "neon": (16, _shuffle("llvm.aarch64.neon.tbl1.v16i8")),
    "i8mm": (16, _shuffle("llvm.aarch64.neon.tbl1.v16i8")),
}


def define_lookup(module: ir.Module, instructions: str) -> None:
    """Define ``rl.lookup`` in `module` with the instructions that go with a key of `dots.DOTS`."""
    function = ir.Function(module, LOOKUP_TYPE, LOOKUP)
    function.linkage = "internal"
    function.attributes.add("alwaysinline")
    builder = ir.IRBuilder(function.append_basic_block())
    table, places = function.args
    width, shuffle = _WIDTHS[instructions]
    repeated = builder.shuffle_vector(table, table, _lanes(0, width, 16))
    parts = [
        shuffle(builder, repeated, builder.shuffle_vector(places, places, _lanes(start, width, width)))
        for start in range(0, 64, width)
    ]
    while len(parts) > 1:
        lanes = _lanes(0, 2 * parts[0].type.count, 64)
        parts = [builder.shuffle_vector(a, b, lanes) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    builder.ret(parts[0])
