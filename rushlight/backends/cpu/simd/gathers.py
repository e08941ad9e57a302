"""Entries of codebooks looked up one by one, as vectors of 8 columns of 8 rows.

An entry is 8 bytes, or two of 4 bytes side by side, and fills two neighbouring lanes of 32 bits: vector `a`
has rows 0 to 7, `b` rows 8 to 15. A place is read as a scalar and leads to a scalar load: faster than the
processors' own gathers, and the only way where they have none.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.pairs import DOT_PAIRS, DOT_PAIRS_TYPE, NEGATE, NEGATE_TYPE
from rushlight.backends.cpu.simd.types import i8x64, i32x16, mask16
from rushlight.backends.cpu.simd.vector import splat_value

_I16, _I32, _I64 = (ir.IntType(bits) for bits in (16, 32, 64))
_POINTER, _QUADS = ir.PointerType(), ir.VectorType(_I64, 8)
_PAIR = types.UniTuple(i8x64, 2)


def _places(builder: ir.IRBuilder, address: ir.Value, bits: int, words: list[int]) -> list[ir.Value]:
    """Unsigned integers of `bits` bits, cut out of words of 32, whose numbers are given."""
    found = []
    for number in words:
        place = builder.inttoptr(builder.add(address, ir.Constant(_I64, 4 * number)), _POINTER)
        word = builder.load(place, align=1, typ=_I32)
        for shift in range(0, 32, bits):
            moved = builder.lshr(word, ir.Constant(_I32, shift))
            masked = builder.and_(moved, ir.Constant(_I32, (1 << bits) - 1))
            found.append(builder.zext(masked, _I64))
    return found


def _entries(builder: ir.IRBuilder, table: ir.Value, places: list[ir.Value], kind: ir.IntType) -> ir.Value:
    vector_type = ir.VectorType(kind, len(places))
    vector: ir.Value = ir.Constant(vector_type, ir.Undefined)
    for lane, place in enumerate(places):
        pointer = builder.gep(builder.inttoptr(table, _POINTER), [place], source_etype=kind)
        entry = builder.load(pointer, align=kind.width // 8, typ=kind)
        vector = builder.insert_element(vector, entry, ir.Constant(_I32, lane))
    return builder.bitcast(vector, i8x64.ir_type)


def _gather(bits: int, kind: ir.IntType) -> Any:
    """8 entries of 8 bytes or 16 of 4, at places of `bits` bits; rows 8 to 15 have places of their own.

    The places of 4 bytes' entries take turns: those of 2 rows, then those of 2 rows from the eighth on.
    """
    n_words = bits // 4 if kind.width == 64 else bits // 2

    def words(half: int) -> list[int]:
        if kind.width == 64:
            return list(range(half * n_words, (half + 1) * n_words))
        run = bits // 8
        return [2 * run * i + run * half + j for i in range(4) for j in range(run)]

    def gather_half(half: int) -> Any:
        chosen = words(half)

        @intrinsic
        def gather(typing_context: Any, table: Any, places: Any) -> Any:
            def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
                return _entries(builder, args[0], _places(builder, args[1], bits, chosen), kind)

            return i8x64(types.intp, types.intp), generate

        return gather

    return gather_half(0), gather_half(1)


gather_eights = {bits: _gather(bits, _I64) for bits in (8, 16)}
"""``a(table, places), b(table, places)``: entries of 8 bytes at 16 places, integers of 8 or 16 bits."""
gather_fours = {bits: _gather(bits, _I32) for bits in (8, 16)}
"""The same of two entries of 4 bytes, at 32 places."""


@intrinsic
def whole_places(typing_context: Any, target: Any, places: Any, upper: Any) -> Any:
    """Write 16 places of 16 bits; their lower 8 are bytes, bit i of 16 at `upper` is the ninth of place i."""
    lanes = ir.VectorType(_I16, 16)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        target, places, upper = (builder.inttoptr(address, _POINTER) for address in args)
        low = builder.zext(builder.load(places, align=1, typ=ir.VectorType(ir.IntType(8), 16)), lanes)
        bits = splat_value(builder, builder.load(upper, align=1, typ=_I16))
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


@intrinsic
def negate_by(typing_context: Any, value: Any, signs: Any) -> Any:
    """Bytes negated where their bits are set; byte r of 8 at the address `signs` has those of row r."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        function = builder.module.globals.get(NEGATE) or ir.Function(builder.module, NEGATE_TYPE, NEGATE)
        return builder.call(function, args)

    return i8x64(i8x64, types.intp), generate


@intrinsic(prefer_literal=True)
def or_where(typing_context: Any, pair: Any, rows: Any, number: Any) -> Any:
    """A pair of vectors, with a constant or'ed into every byte of the rows that are set."""
    if not isinstance(number, types.IntegerLiteral):
        return None
    constant = ir.Constant(i8x64.ir_type, [number.literal_value] * 64)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        vectors = []
        for i in range(2):
            lanes = ir.Constant(ir.VectorType(_I32, 8), list(range(8 * i, 8 * i + 8)))
            chosen = builder.shuffle_vector(args[1], args[1], lanes)
            value = builder.extract_value(args[0], i)
            both = [builder.bitcast(v, _QUADS) for v in (builder.or_(value, constant), value)]
            vectors.append(builder.bitcast(builder.select(chosen, *both), i8x64.ir_type))
        return context.make_tuple(builder, _PAIR, vectors)

    return _PAIR(_PAIR, mask16, number), generate


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
def store_i16x16(typing_context: Any, address: Any, value: Any) -> Any:
    """The lower half of each of 16 int32 lanes."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        narrow = builder.trunc(args[1], ir.VectorType(_I16, 16))
        builder.store(narrow, builder.inttoptr(args[0], _POINTER), align=1)
        return context.get_dummy_value()

    return types.void(types.intp, i32x16), generate
