"""What kernels call and each target defines for itself, linked in when code is made for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from rushlight.backends.cpu.dots import DOT_KINDS, DOTS, call, dot_name, splat

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_POINTER = ir.PointerType()

_UNSIGNED_ONLY = {"avxvnni", "avx512vnni"}


PAUSE = "rl.pause"
_PAUSES = {"x86_64": ("llvm.x86.sse2.pause", []), "aarch64": ("llvm.aarch64.hint", [ir.Constant(_I32, 1)])}


def define_pause(module: ir.Module, machine: str) -> None:
    """Define ``rl.pause`` in `module`: the instruction for a thread that waits (``yield`` on Arm)."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), []), PAUSE)
    function.linkage = "internal"
    function.attributes.add("alwaysinline")
    builder = ir.IRBuilder(function.append_basic_block())
    name, arguments = _PAUSES[machine]
    call(builder, name, ir.VoidType(), *arguments)
    builder.ret_void()


class _InMemory(Sequence[ir.Value]):
    """Vectors of weights that are loaded where they are used.

    Left alone, the compiler loads all of them first, and what registers do not hold it writes elsewhere.
    """

    def __init__(self, builder: ir.IRBuilder, address: ir.Value, count: int) -> None:
        self._builder, self._address, self._count = builder, address, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, j: Any) -> Any:
        if isinstance(j, slice):
            start, stop, _ = j.indices(self._count)
            place = self._builder.add(self._address, ir.Constant(_I64, 64 * start))
            return _InMemory(self._builder, place, stop - start)
        if j >= self._count:
            raise IndexError(j)
        place = self._builder.add(self._address, ir.Constant(_I64, 64 * j))
        return self._builder.load(
            self._builder.inttoptr(place, _POINTER), align=64, typ=ir.VectorType(_I8, 64)
        )


def _make_unsigned(
    builder: ir.IRBuilder, tile: list[ir.Value], weights: Sequence[ir.Value], sums: list[ir.Value], shift: int
) -> tuple[list[ir.Value], list[ir.Value]]:
    """Weights plus 128, and the tile less 128 times each row's sum of activations, in `sums`, shifted."""
    bits = ir.Constant(ir.VectorType(_I32, 16), [shift] * 16)
    rows = []
    for row, place in zip(tile, sums, strict=True):
        every = builder.bitcast(splat(builder, builder.load(place, align=1, typ=_I32), 16), bits.type)
        rows.append(builder.add(row, builder.shl(every, bits)))
    flip = ir.Constant(weights[0].type, [-128] * weights[0].type.count)
    return rows, [builder.xor(vector, flip) for vector in weights]


def define_dot(module: ir.Module, kind: str, rows: int, in_memory: bool, instructions: str) -> None:
    """Define the dot product `dot_name` in `module` with the instructions of a key of `DOTS`.

    Its arguments: a tile, the vectors of weights or their address, then address and stride of activations
    and, for signed weights, of their sums.
    """
    tile_type = ir.ArrayType(ir.VectorType(_I32, 16), rows)
    vectors, run, signed = DOT_KINDS[kind].vectors, DOT_KINDS[kind].run, DOT_KINDS[kind].signed
    given = [_I64] if in_memory else [ir.VectorType(_I8, 64)] * vectors
    arguments = [tile_type, *given, *[_I64] * (4 if signed else 2)]
    function = ir.Function(module, ir.FunctionType(tile_type, arguments), dot_name(kind, rows, in_memory))
    function.linkage = "internal"
    function.attributes.add("alwaysinline")
    builder = ir.IRBuilder(function.append_basic_block())

    def places(address: ir.Value, stride: ir.Value) -> list[ir.Value]:
        offsets = [builder.mul(stride, ir.Constant(_I64, m)) for m in range(rows)]
        return [builder.inttoptr(builder.add(address, offset), _POINTER) for offset in offsets]

    tile = [builder.extract_value(function.args[0], m) for m in range(rows)]
    weights: Sequence[ir.Value] = function.args[1 : 1 + len(given)]
    numbers = function.args[1 + len(given) :]
    if in_memory:
        weights = _InMemory(builder, weights[0], vectors)
    starts = places(*numbers[:2])
    if signed and instructions in _UNSIGNED_ONLY:
        tile, weights = _make_unsigned(builder, tile, weights, places(*numbers[2:]), DOT_KINDS[kind].shift)

    for first in range(0, vectors, run):

        def word(m: int, j: int, first: int = first) -> ir.Value:
            place = builder.gep(starts[m], [ir.Constant(_I64, 4 * (first + j))], source_etype=_I8)
            return builder.load(place, align=1, typ=_I32)

        tile = DOTS[instructions](builder, tile, weights[first : first + run], word, signed)
    result: ir.Value = ir.Constant(tile_type, ir.Undefined)
    for m, row in enumerate(tile):
        result = builder.insert_value(result, row, m)
    builder.ret(result)
