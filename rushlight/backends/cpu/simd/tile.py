"""Operations on tiles: the same vector of weights against several tokens at once.

A tile has one row a token. One token and many tokens are the same kernel with another number of rows, so
they do the same operations in the same order and give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.dots import dot_name
from rushlight.backends.cpu.simd.types import Tile, f32x16, i8x64, i32x16
from rushlight.backends.cpu.simd.vector import splat_value

_POINTER, _I32, _F32, _I64 = ir.PointerType(), ir.IntType(32), ir.FloatType(), ir.IntType(64)


def _splat_at(
    builder: ir.IRBuilder, address: ir.Value, stride: ir.Value, row: int, kind: ir.Type
) -> ir.Value:
    """The scalar of a row, at ``address + row * stride``, in all lanes."""
    offset = builder.mul(stride, ir.Constant(_I64, row))
    pointer = builder.inttoptr(builder.add(address, offset), _POINTER)
    return splat_value(builder, builder.load(pointer, align=4, typ=kind))


def _build(builder: ir.IRBuilder, tile: Tile, row: Callable[[int], ir.Value]) -> ir.Value:
    value = ir.Constant(tile.ir_type, ir.Undefined)
    for i in range(tile.rows):
        value = builder.insert_value(value, row(i), i)
    return value


@intrinsic(prefer_literal=True)
def zero_tile(typing_context: Any, rows: Any) -> Any:
    """A float32 tile of zeros; `rows` is a constant."""
    if not isinstance(rows, types.IntegerLiteral):
        return None
    tile = Tile(f32x16, rows.literal_value)
    zero = ir.Constant(f32x16.ir_type, [0.0] * 16)
    return tile(rows), lambda context, builder, sig, args: _build(builder, tile, lambda i: zero)


@intrinsic(prefer_literal=True)
def zero_i32_tile(typing_context: Any, rows: Any) -> Any:
    """An int32 tile of zeros; `rows` is a constant."""
    if not isinstance(rows, types.IntegerLiteral):
        return None
    tile = Tile(i32x16, rows.literal_value)
    zero = ir.Constant(i32x16.ir_type, [0] * 16)
    return tile(rows), lambda context, builder, sig, args: _build(builder, tile, lambda i: zero)


def _call_dot(builder: ir.IRBuilder, kind: str, tile: Tile, args: Any) -> ir.Value:
    """Call the function that is defined once code is made for a target: tile, a tuple of vectors, numbers."""
    vectors = [builder.extract_value(args[1], i) for i in range(args[1].type.count)]
    arguments = [args[0], *vectors, *args[2:]]
    function_type = ir.FunctionType(tile.ir_type, [a.type for a in arguments])
    name = dot_name(kind, tile.rows)
    function = builder.module.globals.get(name) or ir.Function(builder.module, function_type, name)
    return builder.call(function, arguments)


@intrinsic(prefer_literal=True)
def dot(typing_context: Any, tile: Any, weights: Any, address: Any, stride: Any, kind: Any) -> Any:
    """Add, in each lane, the products of 4 weights and 4 activations for every vector of `weights`.

    Args:
        tile: the int32 tile to add to.
        weights: a tuple of i8x64, 4 bytes of each of 16 weight rows; as many as `kind` takes.
        address: int8 activations of row 0, 4 bytes for each vector, one behind the other.
        stride: bytes from one row's activations to the next.
        kind: a name of `dots.DOT_KINDS`. What it does is chosen when code is made for a target.
    """
    if not isinstance(kind, types.StringLiteral):
        return None

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return _call_dot(builder, kind.literal_value, tile, args[:4])

    return tile(tile, types.UniTuple(i8x64, len(weights)), types.intp, types.intp, kind), generate


@intrinsic
def dot_signed(
    typing_context: Any, tile: Any, weights: Any, address: Any, stride: Any, sums: Any, sums_stride: Any
) -> Any:
    """`dot` of signed weights, kind "s8".

    Args:
        tile, weights, address, stride: as of `dot`.
        sums: the sum of row 0's activations, times -8, as int32.
        sums_stride: bytes from one row's sum to the next.
    """

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return _call_dot(builder, "s8", tile, args)

    return tile(tile, types.UniTuple(i8x64, len(weights)), *[types.intp] * 4), generate


@intrinsic(prefer_literal=True)
def start_tile(typing_context: Any, rows: Any, address: Any, stride: Any, shift: Any) -> Any:
    """An int32 tile; row i is the int32 at ``address + i * stride``, times ``2**shift``, in every lane."""
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(shift, types.IntegerLiteral):
        return None
    tile, bits = Tile(i32x16, rows.literal_value), ir.Constant(i32x16.ir_type, [shift.literal_value] * 16)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        def row(i: int) -> ir.Value:
            return builder.shl(_splat_at(builder, args[1], args[2], i, _I32), bits)

        return _build(builder, tile, row)

    return tile(rows, types.intp, types.intp, shift), generate


def _fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    kind = ir.FunctionType(f32x16.ir_type, [f32x16.ir_type] * 3)
    return builder.call(builder.module.declare_intrinsic("llvm.fma.v16f32", (), kind), [a, b, c])


@intrinsic
def scale_add(typing_context: Any, tile: Any, sums: Any, scale: Any, address: Any, stride: Any) -> Any:
    """Row i: ``fma(scale, float(sums[i]) * (float32 at address + i * stride), tile[i])``."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        def row(i: int) -> ir.Value:
            total = builder.sitofp(builder.extract_value(args[1], i), f32x16.ir_type)
            scaled = builder.fmul(total, _splat_at(builder, args[3], args[4], i, _F32))
            return _fma(builder, args[2], scaled, builder.extract_value(args[0], i))

        return _build(builder, tile, row)

    return tile(tile, sums, f32x16, types.intp, types.intp), generate


@intrinsic
def product_add(typing_context: Any, tile: Any, sums: Any, scale: Any) -> Any:
    """Row i: ``fma(scale, float(sums[i]), tile[i])``."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        def row(i: int) -> ir.Value:
            total = builder.sitofp(builder.extract_value(args[1], i), f32x16.ir_type)
            return _fma(builder, args[2], total, builder.extract_value(args[0], i))

        return _build(builder, tile, row)

    return tile(tile, sums, f32x16), generate


@intrinsic
def scaled_tile_add(typing_context: Any, tile: Any, sums: Any, scale: Any, address: Any, stride: Any) -> Any:
    """Row i: ``fma(scale * sums[i], (float32 at address + i * stride), tile[i])``."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        def row(i: int) -> ir.Value:
            scaled = builder.fmul(args[2], builder.extract_value(args[1], i))
            factor = _splat_at(builder, args[3], args[4], i, _F32)
            return _fma(builder, scaled, factor, builder.extract_value(args[0], i))

        return _build(builder, tile, row)

    return tile(tile, tile, f32x16, types.intp, types.intp), generate


@intrinsic
def superblock_add(
    typing_context: Any,
    tile: Any,
    sums: Any,
    d: Any,
    low: Any,
    high: Any,
    dmin: Any,
    address: Any,
    stride: Any,
) -> Any:
    """Row i: ``fma(total, (float32 at address + i * stride), tile[i])``, where `total` is
    ``fma(dmin, float(low[i] + 128 * high[i]), d * sums[i])``.
    """
    seven = ir.Constant(i32x16.ir_type, [7] * 16)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        before, sums, d, low, high, dmin, address, stride = args

        def row(i: int) -> ir.Value:
            upper = builder.shl(builder.extract_value(high, i), seven)
            minima = builder.add(builder.extract_value(low, i), upper)
            scaled = builder.fmul(d, builder.extract_value(sums, i))
            total = _fma(builder, dmin, builder.sitofp(minima, f32x16.ir_type), scaled)
            factor = _splat_at(builder, address, stride, i, _F32)
            return _fma(builder, total, factor, builder.extract_value(before, i))

        return _build(builder, tile, row)

    sums_tile = Tile(i32x16, tile.rows)
    return tile(tile, tile, f32x16, sums_tile, sums_tile, f32x16, types.intp, types.intp), generate


@intrinsic
def outer_add(typing_context: Any, tile: Any, vector: Any, address: Any, stride: Any) -> Any:
    """Row i: ``fma(vector, (float32 at address + i * stride), tile[i])``."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        def row(i: int) -> ir.Value:
            factor = _splat_at(builder, args[2], args[3], i, _F32)
            return _fma(builder, args[1], factor, builder.extract_value(args[0], i))

        return _build(builder, tile, row)

    return tile(tile, f32x16, types.intp, types.intp), generate


@intrinsic(prefer_literal=True)
def load_tile(typing_context: Any, rows: Any, address: Any, stride: Any) -> Any:
    """A float32 tile; row i is the 16 numbers at ``address + i * stride``."""
    if not isinstance(rows, types.IntegerLiteral):
        return None
    tile = Tile(f32x16, rows.literal_value)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        def row(i: int) -> ir.Value:
            offset = builder.mul(args[2], ir.Constant(_I64, i))
            pointer = builder.inttoptr(builder.add(args[1], offset), _POINTER)
            return builder.load(pointer, align=4, typ=f32x16.ir_type)

        return _build(builder, tile, row)

    return tile(rows, types.intp, types.intp), generate


@intrinsic
def store_tile(typing_context: Any, tile: Any, address: Any, stride: Any) -> Any:
    """Row i goes to ``address + i * stride``."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        for i in range(tile.rows):
            offset = builder.mul(args[2], ir.Constant(_I64, i))
            pointer = builder.inttoptr(builder.add(args[1], offset), _POINTER)
            builder.store(builder.extract_value(args[0], i), pointer, align=4)
        return context.get_dummy_value()

    return types.void(tile, types.intp, types.intp), generate
