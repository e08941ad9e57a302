"""What tiles do with the sums of activations, which lie beside these as int32."""

from __future__ import annotations

from functools import reduce
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.simd.tile import _I32, _build, _call_dot, _fma, _splat_at
from rushlight.backends.cpu.simd.types import Tile, f32x16, i8x64, i32x16


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


@intrinsic
def add_tiles(typing_context: Any, a: Any, b: Any) -> Any:
    """The sums of two int32 tiles."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return _build(builder, a, lambda i: builder.add(*(builder.extract_value(tile, i) for tile in args)))

    return a(a, b), generate


@intrinsic
def sum_add(typing_context: Any, tile: Any, vector: Any, address: Any, stride: Any) -> Any:
    """Row i: ``fma(vector, float(int32 at address + i * stride), tile[i])``."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        def row(i: int) -> ir.Value:
            total = builder.sitofp(_splat_at(builder, args[2], args[3], i, _I32), f32x16.ir_type)
            return _fma(builder, args[1], total, builder.extract_value(args[0], i))

        return _build(builder, tile, row)

    return tile(tile, f32x16, types.intp, types.intp), generate


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
