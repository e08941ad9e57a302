"""Constant tables, and the bit work that leads to places in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.lookups import LOOKUP, LOOKUP_TYPE
from rushlight.backends.cpu.simd.types import f32x16, i8x16, i8x64, i32x16

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_POINTER, _WORDS16 = ir.PointerType(), ir.VectorType(ir.IntType(16), 32)


def _splat(kind: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count)


def byte_table(values: Sequence[int]) -> Any:
    """A function on i8x64: each byte, a place from 0 to 15, becomes that one of 16 constant bytes."""
    table = [value & 0xFF for value in values]

    @intrinsic
    def lookup(typing_context: Any, places: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            module = builder.module
            function = module.globals.get(LOOKUP) or ir.Function(module, LOOKUP_TYPE, LOOKUP)
            return builder.call(function, [ir.Constant(i8x16.ir_type, table), args[0]])

        return i8x64(i8x64), generate

    return lookup


def constant_table(name: str, values: npt.NDArray[np.generic]) -> Any:
    """A function that gives the address of constant bytes, which are part of the kernel.

    Args:
        name: the same for the same bytes.
        values: any array, little endian.
    """
    kind = ir.ArrayType(_I8, values.nbytes)
    content = ir.Constant(kind, bytearray(np.ascontiguousarray(values).tobytes()))

    @intrinsic
    def address(typing_context: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            found = builder.module.globals.get(f"rl.{name}")
            if found is None:
                found = ir.GlobalVariable(builder.module, kind, f"rl.{name}")
                found.linkage, found.global_constant, found.initializer, found.align = (
                    "internal", True, content, 64,
                )  # fmt: skip
            return builder.ptrtoint(found, _I64)

        return types.intp(), generate

    return address


def _integers(bits: int, lanes_type: ir.VectorType) -> Any:
    @intrinsic
    def load(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            pointer = builder.inttoptr(args[0], _POINTER)
            return builder.zext(builder.load(pointer, align=1, typ=lanes_type), i32x16.ir_type)

        return i32x16(types.intp), generate

    return load


load_u8x16 = _integers(8, ir.VectorType(_I8, 16))
"""16 unsigned bytes, widened to int32."""
load_u16x16 = _integers(16, ir.VectorType(ir.IntType(16), 16))
"""16 unsigned 16-bit integers, widened to int32."""


@intrinsic(prefer_literal=True)
def bit_field(typing_context: Any, value: Any, first: Any, count: Any, to: Any) -> Any:
    """Bits `first` to ``first + count - 1`` of each int32 lane, moved to bits `to` onwards; constants all."""
    if not all(isinstance(kind, types.IntegerLiteral) for kind in (first, count, to)):
        return None
    shift = to.literal_value - first.literal_value
    mask = ((1 << count.literal_value) - 1) << to.literal_value

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        amount, kind = _splat(i32x16.ir_type, abs(shift)), i32x16.ir_type
        moved = builder.shl(args[0], amount) if shift > 0 else builder.lshr(args[0], amount)
        return builder.and_(moved, _splat(kind, mask))

    return i32x16(i32x16, first, count, to), generate


@intrinsic(prefer_literal=True)
def low_bits(typing_context: Any, value: Any, first: Any, count: Any, to: Any) -> Any:
    """Bits `first` to ``first + count - 1`` of each byte, moved to bits `to` onwards; constants all."""
    if not all(isinstance(kind, types.IntegerLiteral) for kind in (first, count, to)):
        return None
    shift = to.literal_value - first.literal_value
    mask = ((1 << count.literal_value) - 1) << to.literal_value

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        # No processor here shifts bytes: 16-bit words are shifted, and what crossed over is masked.
        words, amount = builder.bitcast(args[0], _WORDS16), _splat(_WORDS16, abs(shift))
        moved = builder.shl(words, amount) if shift > 0 else builder.lshr(words, amount)
        return builder.and_(builder.bitcast(moved, i8x64.ir_type), _splat(i8x64.ir_type, mask))

    return i8x64(i8x64, first, count, to), generate


@intrinsic(prefer_literal=True)
def add_constant(typing_context: Any, value: Any, constant: Any) -> Any:
    """A constant added to each byte."""
    if not isinstance(constant, types.IntegerLiteral):
        return None
    number = constant.literal_value

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.add(args[0], _splat(i8x64.ir_type, number))

    return i8x64(i8x64, constant), generate


@intrinsic
def as_bytes(typing_context: Any, value: Any) -> Any:
    """The 4 bytes of each int32 lane."""
    return i8x64(i32x16), lambda context, builder, sig, args: builder.bitcast(args[0], i8x64.ir_type)


@intrinsic
def as_f32(typing_context: Any, value: Any) -> Any:
    """The float32 that the bits of each int32 lane are."""
    return f32x16(i32x16), lambda context, builder, sig, args: builder.bitcast(args[0], f32x16.ir_type)


@intrinsic
def f32_from_bits(typing_context: Any, bits: Any) -> Any:
    """The float32 that the low 32 bits of an integer are."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.bitcast(builder.trunc(args[0], _I32), ir.FloatType())

    return types.float32(types.intp), generate


@intrinsic
def f32_from_half_bits(typing_context: Any, bits: Any) -> Any:
    """The float32 of the half that the low 16 bits of an integer are."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        half = builder.bitcast(builder.trunc(args[0], ir.IntType(16)), ir.HalfType())
        return builder.fpext(half, ir.FloatType())

    return types.float32(types.intp), generate
