"""Arithmetic on vectors, lane by lane. The order of operations is fixed and nothing is contracted."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin

from rushlight.backends.cpu.simd.inlined import inlined
from rushlight.backends.cpu.simd.types import Vector, f32x16, i8x64, i32x16, mask16

_I32 = ir.IntType(32)
inline = inlined


def _declare_operator(symbol: Any) -> None:
    @infer_global(symbol)
    class _SameVectors(AbstractTemplate):
        def generic(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
            """Both sides are the same vector type, and so is the result."""
            if len(args) == 2 and isinstance(args[0], Vector) and args[0] == args[1]:
                return signature(args[0], *args)
            return None


_OPERATORS: dict[Any, tuple[str, str]] = {
    operator.add: ("add", "fadd"),
    operator.sub: ("sub", "fsub"),
    operator.mul: ("mul", "fmul"),
    operator.truediv: ("sdiv", "fdiv"),
    operator.or_: ("or_", ""),
    operator.and_: ("and_", ""),
}


def _define_operator(symbol: Any, integer: str, floating: str) -> None:
    _declare_operator(symbol)

    @lower_builtin(symbol, Vector, Vector)
    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        is_float = isinstance(sig.return_type.element, types.Float)
        return getattr(builder, floating if is_float else integer)(*args)


for _symbol, (_integer, _floating) in _OPERATORS.items():
    _define_operator(_symbol, _integer, _floating)


def _llvm(name: str, result: Any, *arguments: Any) -> Any:
    """An intrinsic that calls one of LLVM's."""
    arity = len(arguments)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        kinds = [value.type for value in args]
        kind = ir.FunctionType(context.get_value_type(sig.return_type), kinds)
        return builder.call(builder.module.declare_intrinsic(name, (), kind), args)

    sig = result(*arguments)
    if arity == 1:
        return intrinsic(lambda typing_context, a: (sig, generate))
    if arity == 2:
        return intrinsic(lambda typing_context, a, b: (sig, generate))
    return intrinsic(lambda typing_context, a, b, c: (sig, generate))


fma = _llvm("llvm.fma.v16f32", f32x16, f32x16, f32x16, f32x16)
fma_scalar = _llvm("llvm.fma.f32", types.float32, types.float32, types.float32, types.float32)
maximum = _llvm("llvm.maxnum.v16f32", f32x16, f32x16, f32x16)
minimum = _llvm("llvm.minnum.v16f32", f32x16, f32x16, f32x16)
round_even = _llvm("llvm.roundeven.v16f32", f32x16, f32x16)
sqrt = _llvm("llvm.sqrt.f32", types.float32, types.float32)


def _splatter(vector: Vector) -> Any:
    @intrinsic
    def splat(typing_context: Any, value: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            return splat_value(builder, args[0])

        return vector(vector.element), generate

    return splat


def splat_value(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """A vector with `value` in all 16 lanes."""
    undefined = ir.Constant(ir.VectorType(value.type, 16), ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(_I32, 16), [0] * 16))


splat_f32, splat_i32 = _splatter(f32x16), _splatter(i32x16)


def _unary(result: Vector, argument: Vector, emit: Callable[[ir.IRBuilder, ir.Value], ir.Value]) -> Any:
    @intrinsic
    def operation(typing_context: Any, value: Any) -> Any:
        return result(argument), lambda context, builder, sig, args: emit(builder, args[0])

    return operation


def _constant(vector: Vector, value: int) -> ir.Constant:
    return ir.Constant(vector.ir_type, [value] * vector.lanes)


_WORDS = ir.VectorType(ir.IntType(16), 32)


def _shift_bytes_right(builder: ir.IRBuilder, value: ir.Value, count: int) -> ir.Value:
    """Shift 16-bit words, as no processor here shifts bytes; the caller masks what crossed over."""
    words = builder.lshr(builder.bitcast(value, _WORDS), ir.Constant(_WORDS, [count] * 32))
    return builder.bitcast(words, i8x64.ir_type)


to_f32 = _unary(f32x16, i32x16, lambda b, v: b.sitofp(v, f32x16.ir_type))
to_i32 = _unary(i32x16, f32x16, lambda b, v: b.fptosi(v, i32x16.ir_type))
low_nibbles = _unary(i8x64, i8x64, lambda b, v: b.and_(v, _constant(i8x64, 15)))
high_nibbles = _unary(i8x64, i8x64, lambda b, v: b.and_(_shift_bytes_right(b, v, 4), _constant(i8x64, 15)))


@intrinsic(prefer_literal=True)
def high_bits(typing_context: Any, value: Any, first: Any, count: Any) -> Any:
    """Bits `first` to ``first + count - 1`` of each byte, moved above the nibble, to bits 4 onwards."""
    if not (isinstance(first, types.IntegerLiteral) and isinstance(count, types.IntegerLiteral)):
        return None
    shift, mask = first.literal_value - 4, ((1 << count.literal_value) - 1) << 4

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        bits = args[0]
        if shift > 0:
            bits = _shift_bytes_right(builder, bits, shift)
        elif shift < 0:
            words = builder.shl(builder.bitcast(bits, _WORDS), ir.Constant(_WORDS, [-shift] * 32))
            bits = builder.bitcast(words, i8x64.ir_type)
        return builder.and_(bits, _constant(i8x64, mask))

    return i8x64(i8x64, first, count), generate


@intrinsic
def lane_index(typing_context: Any) -> Any:
    """0, 1, ... 15."""
    return i32x16(), lambda context, builder, sig, args: ir.Constant(i32x16.ir_type, list(range(16)))


def _comparison(symbol: str) -> Any:
    @intrinsic
    def compare(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            if sig.args[0] == f32x16:
                return builder.fcmp_ordered(symbol, *args)
            return builder.icmp_signed(symbol, *args)

        return mask16(a, a), generate

    return compare


below, above = _comparison("<"), _comparison(">")


@intrinsic
def select(typing_context: Any, mask: Any, a: Any, b: Any) -> Any:
    """Lanes of `a` where the mask is set, else of `b`."""
    return a(mask16, a, a), lambda context, builder, sig, args: builder.select(*args)


@intrinsic
def _times_power_of_two(typing_context: Any, value: Any, exponent: Any) -> Any:
    """``value * 2**exponent``; the exponent is an integer from -126 to 127."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        bits = builder.add(builder.fptosi(args[1], i32x16.ir_type), _constant(i32x16, 127))
        power = builder.bitcast(builder.shl(bits, _constant(i32x16, 23)), f32x16.ir_type)
        return builder.fmul(args[0], power)

    return f32x16(f32x16, f32x16), generate


def _reduce(vector: Vector, combine: Callable[[ir.IRBuilder, ir.Value, ir.Value], ir.Value]) -> Any:
    """Fold the lanes by halves: 8 with 8, 4 with 4, 2 with 2, 1 with 1."""

    @intrinsic
    def reduce(typing_context: Any, value: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            value, width = args[0], 16
            while width > 1:
                width //= 2
                halves = [
                    builder.shuffle_vector(
                        value,
                        value,
                        ir.Constant(ir.VectorType(_I32, width), list(range(start, start + width))),
                    )
                    for start in (0, width)
                ]
                value = combine(builder, *halves)
            return builder.extract_element(value, ir.Constant(_I32, 0))

        return vector.element(vector), generate

    return reduce


def _larger(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


reduce_add = _reduce(f32x16, lambda builder, a, b: builder.fadd(a, b))
reduce_max = _reduce(f32x16, _larger)
reduce_add_i32 = _reduce(i32x16, lambda builder, a, b: builder.add(a, b))


@inline
def exp(x):
    """e**x to within 2 units in the last place, 0 below -87; a Cody-Waite reduction and a polynomial.

    A library's exp differs from one system to the next; this one gives the same bits everywhere.
    """
    clamped = minimum(maximum(x, splat_f32(-87.0)), splat_f32(88.0))
    n = round_even(clamped * splat_f32(1.44269504))
    r = fma(n, splat_f32(-0.693359375), clamped)
    r = fma(n, splat_f32(2.12194440e-4), r)
    p = fma(splat_f32(1.98756915e-4), r, splat_f32(1.39819995e-3))
    p = fma(p, r, splat_f32(8.33345190e-3))
    p = fma(p, r, splat_f32(4.16657959e-2))
    p = fma(p, r, splat_f32(1.66666655e-1))
    p = fma(p, r, splat_f32(5.00000012e-1))
    p = fma(p * r, r, r) + splat_f32(1.0)
    return select(below(x, splat_f32(-87.0)), splat_f32(0.0), _times_power_of_two(p, n))


@inline
def tanh(x):
    """Hyperbolic tangent, ``1 - 2 / (e**2x + 1)``."""
    return splat_f32(1.0) - splat_f32(2.0) / (exp(x + x) + splat_f32(1.0))
