"""Entries of codebooks looked up in registers, for processors that permute 16-bit words.

An entry is a word of 4 nibbles, each a column or two. AVX-512 looks up 32 words in a table of 64 at once; a
larger table has several such parts, one of which bits of the place choose. Lane r of 32 bits has two
neighbouring entries of row r; their columns are spread over 2 or 4 vectors, each of which has 2 columns of
either entry: "word order".
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

_I1, _I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
_POINTER, _WORDS = ir.PointerType(), ir.VectorType(_I16, 32)
_PERMUTE = "llvm.x86.avx512.vpermi2var.hi.512"
_PART = 64
_PAIR = types.UniTuple(i8x64, 2)


def code_words(codes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint16]:
    """Codes of columns [entries, 4], 0 to 7, or [entries, 8], 0 to 2, as words [entries].

    The lower nibbles of a word's two bytes are the first two columns. Of 8 columns, a nibble is two of them,
    ``3 * a + b``: the lower nibbles are the first two and the next two.
    """
    nibbles = codes if codes.shape[1] == 4 else 3 * codes[:, [0, 1, 4, 5]] + codes[:, [2, 3, 6, 7]]
    words: npt.NDArray[np.uint16] = (nibbles << np.array([0, 8, 4, 12])).sum(axis=1).astype(np.uint16)
    return words


def _splat(number: int) -> ir.Constant:
    return ir.Constant(_WORDS, [number] * 32)


def _load(builder: ir.IRBuilder, address: ir.Value, offset: int, kind: ir.Type, align: int = 1) -> ir.Value:
    place = builder.add(address, ir.Constant(_I64, offset))
    return builder.load(builder.inttoptr(place, _POINTER), align=align, typ=kind)


class _Lookup:
    """Words at `count` vectors of 32 places."""

    def __init__(
        self, builder: ir.IRBuilder, table: ir.Value, places: ir.Value, ninth: ir.Value, count: int
    ) -> None:
        self._builder, self._table = builder, table
        self._ninth, self._count = ninth, count
        self._bytes = [_load(builder, places, 32 * i, ir.VectorType(_I8, 32)) for i in range(count)]
        self._places = [builder.zext(vector, _WORDS) for vector in self._bytes]

    def _chosen(self, bit: int) -> list[ir.Value]:
        """Where a bit of the places is set."""
        builder = self._builder
        if bit == 256:
            return [_load(builder, self._ninth, 4 * i, ir.VectorType(_I1, 32)) for i in range(self._count)]
        own, zero = (ir.Constant(self._bytes[0].type, [number] * 32) for number in (bit, 0))
        return [builder.icmp_unsigned("!=", builder.and_(place, own), zero) for place in self._bytes]

    def words(self, start: int, stop: int) -> list[ir.Value]:
        """The words in a part of the table.

        Each part is loaded once for all places: a large table takes more registers than there are.
        """
        builder = self._builder
        if stop - start == _PART:
            a, b = (_load(builder, self._table, 2 * i, _WORDS, 64) for i in (start, start + _PART // 2))
            return [call(builder, _PERMUTE, _WORDS, a, place, b) for place in self._places]
        middle = (start + stop) // 2
        low, high = self.words(start, middle), self.words(middle, stop)
        chosen = self._chosen(middle - start)
        return [builder.select(c, b, a) for c, a, b in zip(chosen, low, high, strict=True)]


def permute(count: int, n_entries: int) -> Any:
    """``permuted(table, places, ninth)``: vectors of 32 words each.

    Args:
        count: of vectors, 2 or 4; as many times 32 places are bytes, and at `ninth` is a mask of 32 bits for
            each, their ninth bits.
        n_entries: words in the table, 256 or 512. Of 256, no place has a ninth bit.
    """
    vectors = types.UniTuple(i8x64, count)

    @intrinsic
    def permuted(typing_context: Any, table: Any, places: Any, ninth: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            table, places, ninth = args
            words = _Lookup(builder, table, places, ninth, count).words(0, n_entries)
            return context.make_tuple(builder, vectors, [builder.bitcast(w, i8x64.ir_type) for w in words])

        return vectors(types.intp, types.intp, types.intp), generate

    return permuted


def _nibbles(is_masked: bool) -> Any:
    @intrinsic
    def nibbles(typing_context: Any, words: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            low = builder.bitcast(args[0], _WORDS)
            both = [low, builder.lshr(low, _splat(4))]
            if is_masked:
                both = [builder.and_(vector, _splat(0x0F0F)) for vector in both]
            return context.make_tuple(builder, _PAIR, [builder.bitcast(v, i8x64.ir_type) for v in both])

        return _PAIR(i8x64), generate

    return nibbles


nibble_pair, unmasked_pair = _nibbles(True), _nibbles(False)
"""The lower and the upper nibbles of the bytes of words. Those that are below 8 need no mask: a table of 16
bytes is looked up by the lower 4 bits of a byte, if its highest bit is 0."""


@intrinsic
def in_column_order(typing_context: Any, a: Any, b: Any) -> Any:
    """Of two neighbouring vectors in word order, 4 columns of each lane's first entry and 4 of its second."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        first, second = (builder.bitcast(v, _WORDS) for v in args)
        vectors = []
        for entry in range(2):
            order = [i for lane in range(16) for i in (2 * lane + entry, 32 + 2 * lane + entry)]
            chosen = ir.Constant(ir.VectorType(_I32, 32), order)
            vectors.append(builder.bitcast(builder.shuffle_vector(first, second, chosen), i8x64.ir_type))
        return context.make_tuple(builder, _PAIR, vectors)

    return _PAIR(i8x64, i8x64), generate


@intrinsic(prefer_literal=True)
def store_in_word_order(typing_context: Any, target: Any, source: Any, columns: Any) -> Any:
    """Copy 64 activations in the order of vectors whose entries have 4 or 8 columns, a constant."""
    if not isinstance(columns, types.IntegerLiteral):
        return None
    words = columns.literal_value // 2
    places = [2 * words * (i // (2 * words)) + words * (i % 2) + i % (2 * words) // 2 for i in range(32)]

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        vector = _load(builder, args[1], 0, _WORDS)
        moved = builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(_I32, 32), places))
        builder.store(moved, builder.inttoptr(args[0], _POINTER), align=64)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, columns), generate


@intrinsic(prefer_literal=True)
def reflect_where(typing_context: Any, value: Any, signs: Any, bit: Any, twice: Any) -> Any:
    """Bytes b, or ``twice - b`` where a bit of the byte of `signs` is set; both numbers are constants."""
    if not isinstance(bit, types.IntegerLiteral) or not isinstance(twice, types.IntegerLiteral):
        return None
    own, sum_of_both = (
        ir.Constant(i8x64.ir_type, [number] * 64) for number in (1 << bit.literal_value, twice.literal_value)
    )

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        zero = ir.Constant(i8x64.ir_type, [0] * 64)
        chosen = builder.icmp_unsigned("!=", builder.and_(args[1], own), zero)
        return builder.select(chosen, builder.sub(sum_of_both, args[0]), args[0])

    return i8x64(i8x64, i8x64, bit, twice), generate
