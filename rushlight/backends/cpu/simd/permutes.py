"""Entries of codebooks of 4 columns looked up in registers, for processors that permute 16-bit words.

An entry is a word of 4 nibbles: byte 0 has columns 0 and 2, byte 1 columns 1 and 3. AVX-512 looks up 32 words
in a table of 64 at once, which is twice as fast as 32 loads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.dots import call
from rushlight.backends.cpu.simd.types import i8x64

_I16, _I64 = ir.IntType(16), ir.IntType(64)
_POINTER, _WORDS = ir.PointerType(), ir.VectorType(_I16, 32)
_PERMUTE = "llvm.x86.avx512.vpermi2var.hi.512"


def nibble_words(codes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint16]:
    """Numbers from 0 to 15 [entries, 4] as words [entries]."""
    words: npt.NDArray[np.uint16] = (codes @ np.array([1, 1 << 8, 1 << 4, 1 << 12])).astype(np.uint16)
    return words


def _splat(number: int) -> ir.Constant:
    return ir.Constant(_WORDS, [number] * 32)


def _looked_up(
    builder: ir.IRBuilder, table: ir.Value, places: list[ir.Value], start: int, stop: int
) -> list[ir.Value]:
    """Words at places in a part of a table; a bit of the place chooses one of its halves.

    Each part is loaded once for all places: the whole table takes more registers than there are.
    """
    if stop - start == 64:
        addresses = [
            builder.gep(table, [ir.Constant(_I64, i)], source_etype=_I16) for i in (start, start + 32)
        ]
        a, b = (builder.load(address, align=64, typ=_WORDS) for address in addresses)
        return [call(builder, _PERMUTE, _WORDS, a, place, b) for place in places]
    middle = (start + stop) // 2
    low = _looked_up(builder, table, places, start, middle)
    high = _looked_up(builder, table, places, middle, stop)
    bit = _splat(middle - start)
    chosen = [builder.icmp_unsigned("!=", builder.and_(place, bit), _splat(0)) for place in places]
    return [builder.select(c, b, a) for c, a, b in zip(chosen, low, high, strict=True)]


def permute_fours(bits: int, n_entries: int) -> Any:
    """``permuted(table, places)``: the entries at 128 places, 32 in each of 4 vectors.

    Args:
        bits: of a place, 8 or 16.
        n_entries: words in the table, a power of two from 64 on.
    """
    four, lanes = types.UniTuple(i8x64, 4), ir.VectorType(ir.IntType(bits), 32)

    @intrinsic
    def permuted(typing_context: Any, table: Any, places: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            chosen = []
            for i in range(4):
                address = builder.add(args[1], ir.Constant(_I64, 4 * bits * i))
                vector = builder.load(builder.inttoptr(address, _POINTER), align=1, typ=lanes)
                chosen.append(vector if bits == 16 else builder.zext(vector, _WORDS))
            words = _looked_up(builder, builder.inttoptr(args[0], _POINTER), chosen, 0, n_entries)
            return context.make_tuple(builder, four, [builder.bitcast(w, i8x64.ir_type) for w in words])

        return four(types.intp, types.intp), generate

    return permuted


@intrinsic
def nibble_pair(typing_context: Any, words: Any) -> Any:
    """32 entries as a pair of vectors, their places in the order of `gather_fours`."""
    pair = types.UniTuple(i8x64, 2)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        codes = builder.bitcast(args[0], _WORDS)
        low = builder.and_(codes, _splat(0x0F0F))
        high = builder.and_(builder.lshr(codes, _splat(4)), _splat(0x0F0F))
        vectors = []
        for first in (0, 4):
            places = [8 * quarter + first + i for quarter in range(4) for i in range(4)]
            order = ir.Constant(ir.VectorType(ir.IntType(32), 32), [i for p in places for i in (p, 32 + p)])
            vectors.append(builder.bitcast(builder.shuffle_vector(low, high, order), i8x64.ir_type))
        return context.make_tuple(builder, pair, vectors)

    return pair(i8x64), generate
