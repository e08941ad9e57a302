"""What tiles do with the sums of activations, which lie beside these as int32."""

from __future__ import annotations

from functools import reduce
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.dots import dot_name
from rushlight.backends.cpu.simd.tile import _I32, _I64, _POINTER, _build, _call_dot, _splat_at
from rushlight.backends.cpu.simd.types import Tile, i8x64, i32x16


@intrinsic(prefer_literal=True)
def start_part_tile(typing_context: Any, rows: Any, address: Any, stride: Any, shift: Any) -> Any:
    """An int32 tile; row i is the int32 at ``address + i * stride``, over ``2**shift``, in every lane."""
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(shift, types.IntegerLiteral):
        return None
    tile, bits = Tile(i32x16, rows.literal_value), ir.Constant(i32x16.ir_type, [shift.literal_value] * 16)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        def row(i: int) -> ir.Value:
            return builder.ashr(_splat_at(builder, args[1], args[2], i, _I32), bits)

        return _build(builder, tile, row)

    return tile(rows, types.intp, types.intp, shift), generate


@intrinsic(prefer_literal=True)
def start_run_tile(typing_context: Any, rows: Any, address: Any, stride: Any, count: Any, shift: Any) -> Any:
    """An int32 tile; row i is the sum of `count` int32 from ``address + i * stride`` on, times ``2**shift``
    (which may be negative), in every lane.
    """
    if not all(isinstance(kind, types.IntegerLiteral) for kind in (rows, count, shift)):
        return None
    tile, bits = (
        Tile(i32x16, rows.literal_value),
        ir.Constant(i32x16.ir_type, [abs(shift.literal_value)] * 16),
    )

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        addresses = [
            builder.add(args[1], ir.Constant(ir.IntType(64), 4 * i)) for i in range(count.literal_value)
        ]
        move = builder.shl if shift.literal_value > 0 else builder.ashr

        def row(i: int) -> ir.Value:
            first, *others = (_splat_at(builder, address, args[2], i, _I32) for address in addresses)
            return move(reduce(builder.add, others, first), bits)

        return _build(builder, tile, row)

    return tile(rows, types.intp, types.intp, count, shift), generate


@intrinsic(prefer_literal=True)
def start_rest_tile(typing_context: Any, rows: Any, whole: Any, part: Any, stride: Any, shift: Any) -> Any:
    """An int32 tile; row i is the int32 at ``whole + i * stride``, times ``2**shift``, less that at
    ``part + i * stride``, in every lane.
    """
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(shift, types.IntegerLiteral):
        return None
    tile, bits = Tile(i32x16, rows.literal_value), ir.Constant(i32x16.ir_type, [shift.literal_value] * 16)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        def row(i: int) -> ir.Value:
            whole, part = (_splat_at(builder, address, args[3], i, _I32) for address in args[1:3])
            return builder.sub(builder.shl(whole, bits), part)

        return _build(builder, tile, row)

    return tile(rows, types.intp, types.intp, types.intp, shift), generate


@intrinsic(prefer_literal=True)
def shifted_tile(typing_context: Any, tile: Any, shift: Any) -> Any:
    """An int32 tile times ``2**shift``; `shift` is a constant."""
    if not isinstance(shift, types.IntegerLiteral):
        return None
    bits = ir.Constant(i32x16.ir_type, [shift.literal_value] * 16)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return _build(builder, tile, lambda i: builder.shl(builder.extract_value(args[0], i), bits))

    return tile(tile, shift), generate


@intrinsic
def add_tiles(typing_context: Any, a: Any, b: Any) -> Any:
    """The sums of two int32 tiles."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return _build(builder, a, lambda i: builder.add(*(builder.extract_value(tile, i) for tile in args)))

    return a(a, b), generate


@intrinsic(prefer_literal=True)
def store_half_sums(typing_context: Any, rows: Any, target: Any, address: Any, stride: Any) -> Any:
    """Row i of 16 int16 at ``target + 32 * i``: the int32 from ``address + i * stride`` on, over 32."""
    if not isinstance(rows, types.IntegerLiteral):
        return None
    five, narrow = ir.Constant(i32x16.ir_type, [5] * 16), ir.VectorType(ir.IntType(16), 16)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        for i in range(rows.literal_value):
            offset = builder.mul(args[3], ir.Constant(_I64, i))
            source = builder.inttoptr(builder.add(args[2], offset), _POINTER)
            sums = builder.ashr(builder.load(source, align=4, typ=i32x16.ir_type), five)
            place = builder.inttoptr(builder.add(args[1], ir.Constant(_I64, 32 * i)), _POINTER)
            builder.store(builder.trunc(sums, narrow), place, align=32)
        return context.get_dummy_value()

    return types.void(rows, types.intp, types.intp, types.intp), generate


@intrinsic
def dot_words(typing_context: Any, tile: Any, weights: Any, address: Any) -> Any:
    """Row i: add, in each int32 lane, the products of its two int16 and those at ``address + 32 * i``."""
    words, wide = ir.VectorType(ir.IntType(16), 32), ir.VectorType(_I32, 32)
    zero = ir.Constant(ir.IntType(64), 0)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        w = builder.sext(builder.bitcast(args[1], words), wide)

        def row(i: int) -> ir.Value:
            place = builder.add(args[2], ir.Constant(_I64, 32 * i))
            a = builder.sext(builder.bitcast(_splat_at(builder, place, zero, 0, _I32), words), wide)
            products = builder.mul(w, a)
            total = builder.extract_value(args[0], i)
            for first in range(2):
                lanes = ir.Constant(ir.VectorType(_I32, 16), list(range(first, 32, 2)))
                total = builder.add(total, builder.shuffle_vector(products, products, lanes))
            return total

        return _build(builder, tile, row)

    return tile(tile, i32x16, types.intp), generate


@intrinsic
def dot_signed_16(
    typing_context: Any, tile: Any, weights: Any, address: Any, stride: Any, sums: Any, sums_stride: Any
) -> Any:
    """`dot_signed` of 16 columns, kind "s8x16".

    Args:
        tile, weights, address, stride: as of `dot`; 4 vectors of weights.
        sums: the sum of row 0's activations, times -32, as int32.
        sums_stride: bytes from one row's sum to the next.
    """

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return _call_dot(builder, "s8x16", tile, args)

    return tile(tile, types.UniTuple(i8x64, len(weights)), *[types.intp] * 4), generate


@intrinsic(prefer_literal=True)
def memory_dot(typing_context: Any, tile: Any, weights: Any, address: Any, stride: Any, kind: Any) -> Any:
    """`dot` of unsigned weights in memory, aligned, as many vectors as `kind` takes.

    Args:
        tile, address, stride, kind: as of `dot`.
        weights: the address of the first vector.
    """
    if not isinstance(kind, types.StringLiteral):
        return None

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        name = dot_name(kind.literal_value, tile.rows, in_memory=True)
        function_type = ir.FunctionType(tile.ir_type, [a.type for a in args[:4]])
        function = builder.module.globals.get(name) or ir.Function(builder.module, function_type, name)
        return builder.call(function, args[:4])

    return tile(tile, types.intp, types.intp, types.intp, kind), generate
