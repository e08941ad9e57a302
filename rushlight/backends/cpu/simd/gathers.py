"""Entries of codebooks looked up one by one, as vectors of 8 columns of 8 rows.

An entry is 8 bytes, or two of 4 bytes side by side, and fills two neighbouring lanes of 32 bits: of a pair of
vectors, the first has rows 0 to 7, the second rows 8 to 15. A place is read as a scalar and leads to a scalar
load: faster than the processors' own gathers, and the only way where they have none.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.pairs import DOT_PAIRS, DOT_PAIRS_TYPE
from rushlight.backends.cpu.simd.types import i8x64, i32x16
from rushlight.backends.cpu.simd.vector import splat_value

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_POINTER, _QUADS = ir.PointerType(), ir.VectorType(_I64, 8)
_PAIR = types.UniTuple(i8x64, 2)


def _places(builder: ir.IRBuilder, address: ir.Value, bits: int, numbers: list[int]) -> list[ir.Value]:
    """Unsigned integers of `bits` bits, read one by one."""
    found = []
    for number in numbers:
        place = builder.add(address, ir.Constant(_I64, bits // 8 * number))
        value = builder.load(builder.inttoptr(place, _POINTER), align=1, typ=ir.IntType(bits))
        found.append(builder.zext(value, _I64))
    return found


def _entries(builder: ir.IRBuilder, table: ir.Value, places: list[ir.Value], kind: ir.Type) -> ir.Value:
    vector_type = ir.VectorType(kind, len(places))
    vector: ir.Value = ir.Constant(vector_type, ir.Undefined)
    for lane, place in enumerate(places):
        pointer = builder.gep(builder.inttoptr(table, _POINTER), [place], source_etype=kind)
        entry = builder.load(pointer, align=4, typ=kind)
        vector = builder.insert_element(vector, entry, ir.Constant(_I32, lane))
    return builder.bitcast(vector, i8x64.ir_type)


def gather(bits: int, numbers: list[int]) -> Any:
    """``gather(table, places)``: the entries at some places, 8 of 8 bytes or 16 of 4.

    Args:
        bits: of a place, 8 or 16.
        numbers: of the places.
    """
    # Floating-point numbers, as x86 puts those into a register straight from memory.
    kind = ir.DoubleType() if len(numbers) == 8 else ir.FloatType()

    @intrinsic
    def gathered(typing_context: Any, table: Any, places: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            return _entries(builder, args[0], _places(builder, args[1], bits, numbers), kind)

        return i8x64(types.intp, types.intp), generate

    return gathered


@intrinsic
def whole_places(typing_context: Any, target: Any, places: Any, ninth: Any) -> Any:
    """Write 16 places of 16 bits; their lower 8 are bytes, bit i of 16 at `ninth` is the ninth of place i."""
    lanes = ir.VectorType(_I16, 16)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        target, places, ninth = (builder.inttoptr(address, _POINTER) for address in args)
        low = builder.zext(builder.load(places, align=1, typ=ir.VectorType(_I8, 16)), lanes)
        bits = splat_value(builder, builder.load(ninth, align=1, typ=_I16))
        own = builder.and_(bits, ir.Constant(lanes, [1 << i for i in range(16)]))
        is_set = builder.icmp_unsigned("!=", own, ir.Constant(lanes, [0] * 16))
        high = builder.select(is_set, ir.Constant(lanes, [256] * 16), ir.Constant(lanes, [0] * 16))
        builder.store(builder.or_(low, high), target, align=1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@intrinsic
def splat_eight(typing_context: Any, address: Any) -> Any:
    """8 bytes, repeated."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        word = builder.load(builder.inttoptr(args[0], _POINTER), align=1, typ=_I64)
        one = builder.insert_element(ir.Constant(_QUADS, ir.Undefined), word, ir.Constant(_I32, 0))
        every = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_I32, 8), [0] * 8))
        return builder.bitcast(every, i8x64.ir_type)

    return i8x64(types.intp), generate


def negate_pair(bits: list[tuple[int, int]]) -> Any:
    """``signed(a, b, signs)``: a pair of vectors, bytes negated where a bit of 64 bytes at `signs` is set.

    Args:
        bits: of 8 columns, which of the 4 bytes of its row and which bit of that is a column's.
    """
    lanes = [[4 * row + byte for row in range(first, first + 8) for byte, _ in bits] for first in (0, 8)]
    own = ir.Constant(i8x64.ir_type, [1 << bit for _, bit in bits] * 8)

    @intrinsic
    def signed(typing_context: Any, a: Any, b: Any, signs: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            every = builder.load(builder.inttoptr(args[2], _POINTER), align=1, typ=i8x64.ir_type)
            vectors = []
            for value, chosen in zip(args[:2], lanes, strict=True):
                order = ir.Constant(ir.VectorType(_I32, 64), chosen)
                mine = builder.and_(builder.shuffle_vector(every, every, order), own)
                mask = builder.sext(builder.icmp_unsigned("==", mine, own), i8x64.ir_type)
                vectors.append(builder.sub(builder.xor(value, mask), mask))
            return context.make_tuple(builder, _PAIR, vectors)

        return _PAIR(i8x64, i8x64, types.intp), generate

    return signed


@intrinsic
def dot_pairs(typing_context: Any, total: Any, weights: Any, activations: Any) -> Any:
    """Add, in each lane, the products of 4 unsigned weights below 64 and 4 activations from -127 to 127."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        module = builder.module
        function = module.globals.get(DOT_PAIRS) or ir.Function(module, DOT_PAIRS_TYPE, DOT_PAIRS)
        return builder.call(function, args)

    return i32x16(i32x16, i8x64, i8x64), generate


def _lanes(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> list[ir.Value]:
    """The even lanes of both, then the odd ones: columns 0 to 3 of all 16 rows, then columns 4 to 7."""
    vectors = [builder.bitcast(v, i32x16.ir_type) for v in (a, b)]
    return [
        builder.shuffle_vector(*vectors, ir.Constant(i32x16.ir_type, list(range(start, 32, 2))))
        for start in (0, 1)
    ]


@intrinsic
def fold_pairs(typing_context: Any, a: Any, b: Any) -> Any:
    """Sums of two lanes for each of 16 rows."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.add(*_lanes(builder, *args))

    return i32x16(i32x16, i32x16), generate


@intrinsic
def split_pairs(typing_context: Any, a: Any, b: Any) -> Any:
    """The vectors of columns 0 to 3 and of columns 4 to 7, as other kernels have them."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        vectors = [builder.bitcast(v, i8x64.ir_type) for v in _lanes(builder, *args)]
        return context.make_tuple(builder, _PAIR, vectors)

    return _PAIR(i8x64, i8x64), generate


@intrinsic
def written(typing_context: Any, address: Any) -> Any:
    """Have what is written at an address be in memory, from where single numbers are read back.

    Without it the compiler takes them out of the registers, lane by lane, which is slower.
    """

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [_I64])
        builder.asm(kind, "", "r,~{memory}", args, side_effect=True)
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def unknown(typing_context: Any, address: Any) -> Any:
    """An address of constants of which the compiler knows no more, so that `written` holds for them too."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.asm(ir.FunctionType(_I64, [_I64]), "", "=r,0", args, side_effect=False)

    return types.intp(types.intp), generate


@intrinsic
def store_i16x16(typing_context: Any, address: Any, value: Any) -> Any:
    """The lower half of each of 16 int32 lanes."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        narrow = builder.trunc(args[1], ir.VectorType(_I16, 16))
        builder.store(narrow, builder.inttoptr(args[0], _POINTER), align=1)
        return context.get_dummy_value()

    return types.void(types.intp, i32x16), generate
