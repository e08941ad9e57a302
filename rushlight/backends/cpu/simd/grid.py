"""Grids: tiles of rows times columns of vectors, for products of two matrices in float32.

A grid is a tile whose row ``r * columns + c`` is the vector in row r and column c. Each of its numbers adds
up products in the order of the calls, whatever the grid's shape.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.simd.tile import _F32, _I64, _POINTER, _build, _fma, _splat_at
from rushlight.backends.cpu.simd.types import Tile, f32x16


def _place(builder: ir.IRBuilder, address: ir.Value, stride: ir.Value, row: int, column: int) -> ir.Value:
    """A pointer to a row's vector, rows `stride` bytes apart."""
    start = builder.add(address, builder.mul(stride, ir.Constant(_I64, row)))
    return builder.inttoptr(builder.add(start, ir.Constant(_I64, 64 * column)), _POINTER)


@intrinsic(prefer_literal=True)
def load_grid(typing_context: Any, rows: Any, columns: Any, address: Any, stride: Any) -> Any:
    """A grid; row r is the ``16 * columns`` float32 at ``address + r * stride``. Its shape is constant."""
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(columns, types.IntegerLiteral):
        return None
    width = columns.literal_value
    tile = Tile(f32x16, rows.literal_value * width)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        def row(i: int) -> ir.Value:
            pointer = _place(builder, args[2], args[3], i // width, i % width)
            return builder.load(pointer, align=4, typ=f32x16.ir_type)

        return _build(builder, tile, row)

    return tile(rows, columns, types.intp, types.intp), generate


@intrinsic(prefer_literal=True)
def store_grid(typing_context: Any, grid: Any, columns: Any, address: Any, stride: Any) -> Any:
    """Row r of a grid of so many columns goes to ``address + r * stride``."""
    if not isinstance(columns, types.IntegerLiteral):
        return None
    width = columns.literal_value

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        for i in range(grid.rows):
            pointer = _place(builder, args[2], args[3], i // width, i % width)
            builder.store(builder.extract_value(args[0], i), pointer, align=4)
        return context.get_dummy_value()

    return types.void(grid, columns, types.intp, types.intp), generate


@intrinsic
def add_outer(typing_context: Any, grid: Any, vectors: Any, address: Any, stride: Any) -> Any:
    """Row r, column c: ``fma(vectors[c], (float32 at address + r * stride), grid[r, c])``; `vectors` is a
    tile of as many rows as the grid has columns.
    """
    width = vectors.rows

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        before, columns, address, stride = args
        n_rows = grid.rows // width
        factors = [_splat_at(builder, address, stride, r, _F32) for r in range(n_rows)]

        def row(i: int) -> ir.Value:
            vector = builder.extract_value(columns, i % width)
            return _fma(builder, vector, factors[i // width], builder.extract_value(before, i))

        return _build(builder, grid, row)

    return grid(grid, vectors, types.intp, types.intp), generate


def _run_loader(itemsize: int, kind: ir.Type) -> Any:
    @intrinsic(prefer_literal=True)
    def load(typing_context: Any, count: Any, address: Any) -> Any:
        if not isinstance(count, types.IntegerLiteral):
            return None
        tile = Tile(f32x16, count.literal_value)

        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            def row(i: int) -> ir.Value:
                place = builder.add(args[1], ir.Constant(_I64, 16 * itemsize * i))
                values = builder.load(builder.inttoptr(place, _POINTER), align=1, typ=ir.VectorType(kind, 16))
                return builder.fpext(values, f32x16.ir_type) if itemsize == 2 else values

            return _build(builder, tile, row)

        return tile(count, types.intp), generate

    return load


# A float32 tile of `count` (a constant) times 16 halves, or float32, one behind the other.
load_f16_run, load_f32_run = _run_loader(2, ir.HalfType()), _run_loader(4, ir.FloatType())
