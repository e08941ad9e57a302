"""What packing does to the blocks of 16 rows at once: a lane of 32 bits has 4 neighbouring bytes of a row."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.simd.types import i8x64
from rushlight.backends.cpu.simd.vector import splat_value

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_POINTER, _LANES = ir.PointerType(), ir.VectorType(_I32, 16)
_FOUR = types.UniTuple(i8x64, 4)

# Within each 128 bits: the lower or upper lanes, or pairs of lanes, of two vectors in turn.
_LOW, _HIGH = ([4 * q + i for q in range(4) for i in lanes] for lanes in ((0, 16, 1, 17), (2, 18, 3, 19)))
_LOW_PAIRS, _HIGH_PAIRS = (
    [4 * q + i for q in range(4) for i in lanes] for lanes in ((0, 1, 16, 17), (2, 3, 18, 19))
)


def _shuffle(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, lanes: list[int]) -> ir.Value:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(lanes)), lanes))


def _transposed(builder: ir.IRBuilder, rows: list[ir.Value]) -> list[ir.Value]:
    """Four words of each of 16 rows to 16 rows of each of four words."""
    quads = []
    for i in range(4):
        a, b = (_shuffle(builder, rows[r], rows[r + 4], list(range(8))) for r in (i, i + 8))
        quads.append(_shuffle(builder, a, b, list(range(16))))
    words = []
    for lanes in (_LOW, _HIGH):
        a, b = (_shuffle(builder, quads[i], quads[i + 1], lanes) for i in (0, 2))
        words += [_shuffle(builder, a, b, pairs) for pairs in (_LOW_PAIRS, _HIGH_PAIRS)]
    return words


@intrinsic
def four_words(typing_context: Any, source: Any, stride: Any, n_rows: Any) -> Any:
    """Vector j has word j of 16 bytes of each row; lanes past the last row are 0.

    Args:
        source: of the first row's bytes.
        stride: from one row to the next.
        n_rows: 1 to 16; no other row is read.
    """

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        source, stride, n_rows = args
        last, rows = builder.sub(n_rows, ir.Constant(_I64, 1)), []
        for r in range(16):
            own = ir.Constant(_I64, r)
            row = builder.select(builder.icmp_signed("<", own, n_rows), own, last)
            place = builder.add(source, builder.mul(row, stride))
            rows.append(builder.load(builder.inttoptr(place, _POINTER), align=1, typ=ir.VectorType(_I32, 4)))
        count = splat_value(builder, builder.trunc(n_rows, _I32))
        there = builder.icmp_signed("<", ir.Constant(_LANES, list(range(16))), count)
        zero = ir.Constant(_LANES, [0] * 16)
        words = [builder.select(there, vector, zero) for vector in _transposed(builder, rows)]
        return context.make_tuple(builder, _FOUR, [builder.bitcast(word, i8x64.ir_type) for word in words])

    return _FOUR(types.intp, types.intp, types.intp), generate


@intrinsic(prefer_literal=True)
def moved_bits(typing_context: Any, value: Any, first: Any, count: Any, to: Any) -> Any:
    """Bits `first` to ``first + count - 1`` of each byte, as bits `to` onwards; the others are 0."""
    if not isinstance(count, types.IntegerLiteral):
        return None
    every = ((1 << count.literal_value) - 1) * 0x01010101

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        lanes = builder.bitcast(args[0], _LANES)
        down, up = (
            splat_value(builder, builder.trunc(context.cast(builder, args[i], sig.args[i], types.intp), _I32))
            for i in (1, 3)
        )
        bits = builder.and_(builder.lshr(lanes, down), ir.Constant(_LANES, [every] * 16))
        return builder.bitcast(builder.shl(bits, up), i8x64.ir_type)

    return i8x64(i8x64, first, count, to), generate


def _rearrange(kind: ir.VectorType, places: list[int]) -> Any:
    @intrinsic
    def rearrange(typing_context: Any, value: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            old = builder.bitcast(args[0], kind)
            new = builder.shuffle_vector(old, old, ir.Constant(ir.VectorType(_I32, kind.count), places))
            return builder.bitcast(new, i8x64.ir_type)

        return i8x64(i8x64), generate

    return rearrange


bytes_apart = _rearrange(ir.VectorType(_I8, 64), [4 * row + i for i in range(4) for row in range(16)])
"""The first byte of every lane, then the second of every lane, the third, the fourth."""

halves_apart = _rearrange(ir.VectorType(_I16, 32), [2 * row + i for i in range(2) for row in range(16)])
"""The lower 16 bits of every lane, then the upper ones."""


@intrinsic
def negate_upper_halves(typing_context: Any, value: Any) -> Any:
    """The sign of the half in the upper 16 bits of every lane turned round."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        signs = ir.Constant(_LANES, [1 << 31] * 16)
        return builder.bitcast(builder.xor(builder.bitcast(args[0], _LANES), signs), i8x64.ir_type)

    return i8x64(i8x64), generate
