"""What differs between targets: the integer dot product of each instruction set.

A kernel calls ``rl.dot.<kind>.<rows>``, a function on a tile (`simd.tile.dot`) that is left undefined until
code is made for a target; then the definition for that target is linked in and inlined. All definitions give
the same integers: no sum can overflow or saturate for the weights that its kind allows and activations from
-127 to 127.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llvmlite import ir

from rushlight.backends.cpu.dots_i8mm import with_matrices

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_POINTER = ir.PointerType()


@dataclass(frozen=True)
class DotKind:
    """Weights that a dot product takes.

    Attributes:
        vectors: vectors of 4 weights in each of 16 rows that one call takes.
        run: how many of them are added up in 16 bits (AVX2): the largest power of two for which
            ``run * 2 * limit * 127`` stays below 2**15.
        signed: weights are from -128 to 127; otherwise from 0 to the limit. A call also takes where the sum
            of a row's activations stands, for instructions that want unsigned weights.
        shift: the sum stands there times -128, shifted right by so much.
    """

    vectors: int
    run: int
    signed: bool = False
    shift: int = 0


DOT_KINDS = {"u4": DotKind(8, 8), "u5": DotKind(4, 4), "u6": DotKind(2, 2), "u7": DotKind(4, 1)}
DOT_KINDS |= {"s8": DotKind(8, 1, signed=True, shift=4), "s8x16": DotKind(4, 1, signed=True, shift=2)}
"""Signed weights come with the sums of 32 columns or of 16, as `records` keeps them."""


def dot_name(kind: str, rows: int, in_memory: bool = False) -> str:
    """The symbol of a dot product; its weights may be in memory, one vector behind the other."""
    return f"rl.{'memory_dot' if in_memory else 'dot'}.{kind}.{rows}"


Word = Callable[[int, int], ir.Value]
"""``word(m, j)``: the 4 activations of token m for weight vector j, as one int32."""

Emit = Callable[[ir.IRBuilder, "list[ir.Value]", Sequence[ir.Value], Word, bool], "list[ir.Value]"]
"""Adds the products to each row of a tile: (builder, tile, weights, word, signed) -> tile."""


def _part(builder: ir.IRBuilder, value: ir.Value, index: int, lanes: int) -> ir.Value:
    """Lanes ``index * lanes`` onwards."""
    chosen = ir.Constant(ir.VectorType(_I32, lanes), list(range(index * lanes, (index + 1) * lanes)))
    return builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), chosen)


def _join(builder: ir.IRBuilder, parts: list[ir.Value]) -> ir.Value:
    while len(parts) > 1:
        lanes = parts[0].type.count
        order = ir.Constant(ir.VectorType(_I32, 2 * lanes), list(range(2 * lanes)))
        parts = [builder.shuffle_vector(a, b, order) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def call(builder: ir.IRBuilder, name: str, result: ir.Type, *args: ir.Value) -> ir.Value:
    """Call an LLVM intrinsic by its whole name."""
    kind = ir.FunctionType(result, [a.type for a in args])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, args)


def splat(builder: ir.IRBuilder, word: ir.Value, words: int) -> ir.Value:
    """4 activations, repeated to fill `words` 32-bit lanes, as bytes."""
    kind = ir.VectorType(_I32, words)
    empty = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(empty, word, ir.Constant(_I32, 0))
    every = builder.shuffle_vector(one, empty, ir.Constant(kind, [0] * words))
    return builder.bitcast(every, ir.VectorType(_I8, 4 * words))


def _magnitude(builder: ir.IRBuilder, weights: ir.Value) -> ir.Value:
    """|weights|; read as unsigned, -128 becomes 128."""
    name = f"llvm.abs.v{weights.type.count}i8"
    return call(builder, name, weights.type, weights, ir.Constant(ir.IntType(1), 0))


def _signed_like(builder: ir.IRBuilder, values: ir.Value, signs: ir.Value) -> ir.Value:
    """`values` negated where `signs` is negative (where it is 0, the product is 0 either way)."""
    if values.type.count == 32:
        return call(builder, "llvm.x86.avx2.psign.b", values.type, values, signs)
    zero = ir.Constant(values.type, [0] * values.type.count)
    return builder.select(builder.icmp_signed("<", signs, zero), builder.sub(zero, values), values)


def _keep_order(builder: ir.IRBuilder, values: list[ir.Value]) -> list[ir.Value]:
    """The values, passed through an empty statement that is not moved past others of its kind.

    A block of a tile is one long run of code without order; left alone, the compiler first loads all
    activations and runs out of registers.
    """
    types = [value.type for value in values]
    registers = ",".join(["=v"] * len(values) + [str(i) for i in range(len(values))])
    kind = ir.FunctionType(ir.LiteralStructType(types), types)
    result = builder.asm(kind, "", registers, values, side_effect=True)
    return [builder.extract_value(result, i) for i in range(len(values))]


def _avx2(
    builder: ir.IRBuilder, tile: list[ir.Value], weights: Sequence[ir.Value], word: Word, signed: bool
) -> list[ir.Value]:
    """``vpmaddubsw`` adds pairs in 16 bits; these are added over the vectors and widened once at the end."""
    words16, words32 = ir.VectorType(_I16, 16), ir.VectorType(_I32, 8)
    sums: list[list[ir.Value]] = [[] for _ in tile]
    for j, vector in enumerate(weights):
        halves = [_part(builder, vector, half, 32) for half in range(2)]
        unsigned = [_magnitude(builder, w) if signed else w for w in halves]
        for m, before in enumerate(sums):
            a = splat(builder, word(m, j), 8)
            bytes_ = [_signed_like(builder, a, w) if signed else a for w in halves]
            pairs = zip(unsigned, bytes_, strict=True)
            products = [call(builder, "llvm.x86.avx2.pmadd.ub.sw", words16, u, s) for u, s in pairs]
            sums[m] = (
                [builder.add(x, y) for x, y in zip(before, products, strict=True)] if before else products
            )
        if len(weights) > 2:
            flat = _keep_order(builder, [part for row in sums for part in row])
            sums = [flat[i : i + 2] for i in range(0, len(flat), 2)]
    ones = ir.Constant(words16, [1] * 16)
    wide = [[call(builder, "llvm.x86.avx2.pmadd.wd", words32, part, ones) for part in row] for row in sums]
    rows = []
    for start, parts in zip(tile, wide, strict=True):
        row = [builder.add(_part(builder, start, p, 8), part) for p, part in enumerate(parts)]
        rows.append(_join(builder, _keep_order(builder, row) if len(weights) == 1 else row))
    return rows


def _accumulating(instruction: str, words: int, in_order: bool = False) -> Emit:
    """An instruction that adds 4 products to each 32-bit lane of registers with `words` lanes.

    Args:
        instruction: LLVM's name of it.
        words: lanes.
        in_order: of 8 vectors of weights, all rows of a tile take two before the next two, so that no row
            waits for its own last sum. The compiler would take row after row. With fewer vectors at a time it
            does better alone (measured on Zen 4).
    """
    kind = ir.VectorType(_I32, words)

    def emit(
        builder: ir.IRBuilder, tile: list[ir.Value], weights: Sequence[ir.Value], word: Word, signed: bool
    ) -> list[ir.Value]:
        rows = [[_part(builder, t, p, words) for p in range(16 // words)] for t in tile]
        for j, vector in enumerate(weights):
            parts = [_part(builder, vector, p, 4 * words) for p in range(16 // words)]
            for m, row in enumerate(rows):
                a = splat(builder, word(m, j), words)
                for p, w in enumerate(parts):
                    row[p] = call(builder, instruction, kind, row[p], w, a)
            if in_order and len(rows) > 1 and len(weights) == 8 and j % 2:
                flat = _keep_order(builder, [part for row in rows for part in row])
                rows = [flat[i : i + len(parts)] for i in range(0, len(flat), len(parts))]
        return [_join(builder, row) for row in rows]

    return emit


def _scalar(
    builder: ir.IRBuilder, tile: list[ir.Value], weights: Sequence[ir.Value], word: Word, signed: bool
) -> list[ir.Value]:
    """Plain multiplications, for any processor: the twin that the others are tested against."""
    wide = ir.VectorType(_I32, 64)
    rows = list(tile)
    for j, vector in enumerate(weights):
        w = builder.sext(vector, wide) if signed else builder.zext(vector, wide)
        for m in range(len(rows)):
            products = builder.mul(w, builder.sext(splat(builder, word(m, j), 16), wide))
            for byte in range(4):
                lanes = ir.Constant(ir.VectorType(_I32, 16), list(range(byte, 64, 4)))
                rows[m] = builder.add(rows[m], builder.shuffle_vector(products, products, lanes))
    return rows


_SDOT = _accumulating("llvm.aarch64.neon.sdot.v4i32.v16i8", 4)

DOTS: dict[str, Emit] = {
    "scalar": _scalar,
    "avx2": _avx2,
    "avxvnni": _accumulating("llvm.x86.avx512.vpdpbusd.256", 8),
    "avx512vnni": _accumulating("llvm.x86.avx512.vpdpbusd.512", 16, in_order=True),
    "neon": _SDOT,
    "i8mm": with_matrices(_SDOT),
}
