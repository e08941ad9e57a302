"""Words that hold 8 columns of three levels each (IQ1, IQ2_S): numbers of base 3, taken apart by products.

A number v below ``3**8`` is kept as ``u = ceil(v * 2**13 / 3**8)``, and a word of 16 bits has ``8 * u`` and
three more bits. Read as a fraction, the word times 9 has two columns above its point and the others behind
it; every processor multiplies words. Lane r of 32 bits has two neighbouring words of row r, as the vectors of
`simd.permutes` have ("word order").
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.simd.types import i8x64, i32x16

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_POINTER, _WORDS, _LANES = ir.PointerType(), ir.VectorType(_I16, 32), ir.VectorType(_I32, 16)
_PAIR = types.UniTuple(i8x64, 2)

COLUMN_OF_DIGIT = (0, 2, 1, 3, 4, 6, 5, 7)
"""The columns in the order of their digits, highest first: so `digit_pairs` leaves them in word order."""


def trit_numbers(trits: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint16]:
    """Numbers u of 13 bits [entries] for columns [entries, 8] that are 0, 1 or 2."""
    powers = 3 ** np.arange(7, -1, -1)
    numbers = trits[:, COLUMN_OF_DIGIT].astype(np.int64) @ powers
    words: npt.NDArray[np.uint16] = (-(-(numbers << 13) // 3**8)).astype(np.uint16)
    return words


def _words(number: int) -> ir.Constant:
    return ir.Constant(_WORDS, [number] * 32)


def _lanes(number: int) -> ir.Constant:
    return ir.Constant(_LANES, [number] * 16)


def _above(builder: ir.IRBuilder, words: ir.Value, factor: int) -> ir.Value:
    """The upper 16 bits of words times a number."""
    wide = ir.VectorType(_I32, 32)
    whole = builder.mul(builder.zext(words, wide), ir.Constant(wide, [factor] * 32))
    return builder.trunc(builder.lshr(whole, ir.Constant(wide, [16] * 32)), _WORDS)


@intrinsic
def digit_pairs(typing_context: Any, words: Any) -> Any:
    """Digits of base 9: the first in the lower byte of each word, the second in the upper, then two more."""
    nine = _words(9)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        rest = builder.and_(builder.bitcast(args[0], _WORDS), _words(0xFFF8))
        pairs = []
        for _ in range(2):
            first, rest = _above(builder, rest, 9), builder.mul(rest, nine)
            # A shift by 8 would be combined with that by 16, and no word multiplication be left.
            second, rest = _above(builder, rest, 9 << 8), builder.mul(rest, nine)
            both = builder.or_(first, builder.and_(second, _words(0xFF00)))
            pairs.append(builder.bitcast(both, i8x64.ir_type))
        return context.make_tuple(builder, _PAIR, pairs)

    return _PAIR(i8x64), generate


@intrinsic
def last_words(typing_context: Any, first: Any, address: Any) -> Any:
    """The words of the last 16 of 32 columns (IQ1_S).

    Args:
        first: those of the first 16; their lowest bits are the ones of the last.
        address: of 32 upper bytes, then 16 bytes of the 4 bits in between, two a row.
    """

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        upper = builder.load(builder.inttoptr(args[1], _POINTER), align=1, typ=ir.VectorType(_I8, 32))
        place = builder.inttoptr(builder.add(args[1], ir.Constant(_I64, 32)), _POINTER)
        middle = builder.zext(builder.load(place, align=1, typ=ir.VectorType(_I8, 16)), _LANES)
        words = builder.bitcast(builder.shl(builder.zext(upper, _WORDS), _words(8)), _LANES)
        even = builder.and_(builder.shl(middle, _lanes(4)), _lanes(0xF0))
        odd = builder.and_(builder.shl(middle, _lanes(16)), _lanes(0xF00000))
        ones = builder.and_(builder.bitcast(args[0], _WORDS), _words(1))
        lowest = builder.bitcast(builder.shl(ones, _words(3)), _LANES)
        whole = builder.or_(builder.or_(words, even), builder.or_(odd, lowest))
        return builder.bitcast(whole, i8x64.ir_type)

    return i8x64(i8x64, types.intp), generate


def _scale_of_lanes(upper: int) -> Any:
    @intrinsic
    def scale_of_lanes(typing_context: Any, words: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            lanes = builder.bitcast(args[0], _LANES)
            low = builder.and_(builder.lshr(lanes, _lanes(1)), _lanes(3))
            return builder.or_(low, builder.and_(builder.lshr(lanes, _lanes(15)), _lanes(upper)))

        return i32x16(i8x64), generate

    return scale_of_lanes


scale_of_lanes, wide_scale_of_lanes = _scale_of_lanes(4), _scale_of_lanes(12)
"""The scale of each lane: bits 1 and 2, and bit 17 (0 to 7), or bits 17 and 18 (0 to 15)."""


def _bytes_where(kind: ir.VectorType, bit: int) -> Any:
    width = kind.element.width

    @intrinsic(prefer_literal=True)
    def bytes_where(typing_context: Any, words: Any, number: Any) -> Any:
        if not isinstance(number, types.IntegerLiteral):
            return None
        every = number.literal_value * (((1 << width) - 1) // 255)
        zero, own, value = (ir.Constant(kind, [n] * kind.count) for n in (0, 1 << bit, every))

        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            is_set = builder.icmp_unsigned("!=", builder.and_(builder.bitcast(args[0], kind), own), zero)
            return builder.bitcast(builder.select(is_set, value, zero), i8x64.ir_type)

        return i8x64(i8x64, number), generate

    return bytes_where


bytes_of_words, bytes_of_lanes = _bytes_where(_WORDS, 0), _bytes_where(_LANES, 18)
"""A constant in all bytes of the words whose bit 0, or of the lanes whose bit 18 is set, else 0."""
