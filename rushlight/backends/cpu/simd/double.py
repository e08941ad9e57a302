"""Vectors of 8 numbers in double precision, as far as sampling needs them."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.simd.types import f64x8

_POINTER, _I32, _I64 = ir.PointerType(), ir.IntType(32), ir.IntType(64)
_WORDS32, _WORDS64 = ir.VectorType(_I32, 8), ir.VectorType(_I64, 8)
_F32X8 = ir.VectorType(ir.FloatType(), 8)


def _call(builder: ir.IRBuilder, name: str, result: ir.Type, *args: ir.Value) -> ir.Value:
    kind = ir.FunctionType(result, [a.type for a in args])
    return builder.call(builder.module.declare_intrinsic(name, (), kind), args)


def _splat(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    undefined = ir.Constant(ir.VectorType(value.type, 8), ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(_WORDS32, [0] * 8))


def _below(builder: ir.IRBuilder, count: ir.Value) -> ir.Value:
    """A mask of the first `count` lanes."""
    return builder.icmp_signed("<", ir.Constant(_WORDS64, list(range(8))), _splat(builder, count))


@intrinsic
def splat_f64(typing_context: Any, value: Any) -> Any:
    """A number in all lanes."""
    return f64x8(types.float64), lambda context, builder, sig, args: _splat(builder, args[0])


@intrinsic
def load_f64x8(typing_context: Any, address: Any) -> Any:
    """8 float64."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.load(builder.inttoptr(args[0], _POINTER), align=1, typ=f64x8.ir_type)

    return f64x8(types.intp), generate


@intrinsic
def store_f64x8(typing_context: Any, address: Any, value: Any) -> Any:
    """8 float64 to memory."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        builder.store(args[1], builder.inttoptr(args[0], _POINTER), align=1)
        return context.get_dummy_value()

    return types.void(types.intp, f64x8), generate


@intrinsic
def widen_f32x8(typing_context: Any, address: Any) -> Any:
    """8 float32 from memory, widened."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        narrow = builder.load(builder.inttoptr(args[0], _POINTER), align=1, typ=_F32X8)
        return builder.fpext(narrow, f64x8.ir_type)

    return f64x8(types.intp), generate


@intrinsic
def widen_f32x8_partial(typing_context: Any, address: Any, count: Any) -> Any:
    """The first `count` float32 from memory, widened; further lanes are 0 and not read."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        zero, mask = ir.Constant(_F32X8, [0.0] * 8), _below(builder, args[1])
        arguments = (builder.inttoptr(args[0], _POINTER), ir.Constant(_I32, 4), mask, zero)
        narrow = _call(builder, "llvm.masked.load.v8f32.p0", _F32X8, *arguments)
        return builder.fpext(narrow, f64x8.ir_type)

    return f64x8(types.intp, types.intp), generate


@intrinsic
def larger_of(typing_context: Any, value: Any, bound: Any) -> Any:
    """Lanes of `value` that are above those of `bound`, else these."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return f64x8(f64x8, f64x8), generate


@intrinsic
def round_f64(typing_context: Any, value: Any) -> Any:
    """To the nearest whole number, of two equally near ones the even one."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return _call(builder, "llvm.roundeven.v8f64", f64x8.ir_type, args[0])

    return f64x8(f64x8), generate


@intrinsic
def power_of_two(typing_context: Any, k: Any, table: Any) -> Any:
    """``2 ** (k / 1024)`` of whole numbers k, by a table [1024] of the bits of those from 0 to 1023."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        whole = builder.fptosi(args[0], _WORDS32)
        places = builder.and_(whole, ir.Constant(_WORDS32, [1023] * 8))
        exponents = builder.sext(builder.ashr(whole, ir.Constant(_WORDS32, [10] * 8)), _WORDS64)
        start = builder.inttoptr(args[1], _POINTER)
        bits = ir.Constant(_WORDS64, ir.Undefined)
        for lane in range(8):
            place = builder.extract_element(places, ir.Constant(_I32, lane))
            entry = builder.gep(start, [builder.zext(place, _I64)], source_etype=_I64)
            word = builder.load(entry, align=8, typ=_I64)
            bits = builder.insert_element(bits, word, ir.Constant(_I32, lane))
        shifted = builder.shl(exponents, ir.Constant(_WORDS64, [52] * 8))
        return builder.bitcast(builder.add(bits, shifted), f64x8.ir_type)

    return f64x8(f64x8, types.intp), generate


@intrinsic
def first_lanes(typing_context: Any, value: Any, count: Any) -> Any:
    """The first `count` lanes, 0 in the others."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        zero = ir.Constant(f64x8.ir_type, [0.0] * 8)
        return builder.select(_below(builder, args[1]), args[0], zero)

    return f64x8(f64x8, types.intp), generate
