"""The integer dot product with Arm's int8 matrix instruction: two tokens by two weight rows at once.

``smmla`` takes 8 bytes of each of two weight rows and of each of two tokens, and adds the four sums of 8
products to a 2 x 2 matrix. Integers are exact, so the result has the same bits as any other dot product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llvmlite import ir

if TYPE_CHECKING:
    from rushlight.backends.cpu.dots import Emit, Word

_I32 = ir.IntType(32)
_WORDS, _BYTES = ir.VectorType(_I32, 4), ir.VectorType(ir.IntType(8), 16)
_SMMLA = "llvm.aarch64.neon.smmla.v4i32.v16i8"
_EVEN, _ODD = [0, 2, 4, 6], [1, 3, 5, 7]


def _pick(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, lanes: list[int]) -> ir.Value:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(lanes)), lanes))


def _weight_pairs(builder: ir.IRBuilder, first: ir.Value, second: ir.Value) -> list[ir.Value]:
    """8 vectors of 2 rows x 8 columns, from two vectors of 16 rows x 4 columns."""
    words = ir.VectorType(_I32, 16)
    a, b = builder.bitcast(first, words), builder.bitcast(second, words)
    pairs = [_pick(builder, a, b, [r, 16 + r, r + 1, 17 + r]) for r in range(0, 16, 2)]
    return [builder.bitcast(pair, _BYTES) for pair in pairs]


def _token_pair(builder: ir.IRBuilder, word: Word, token: int, vector: int) -> ir.Value:
    """8 columns of a token and of the next one."""
    value = ir.Constant(_WORDS, ir.Undefined)
    for lane in range(4):
        value = builder.insert_element(
            value, word(token + lane // 2, vector + lane % 2), ir.Constant(_I32, lane)
        )
    return builder.bitcast(value, _BYTES)


def _smmla(builder: ir.IRBuilder, total: ir.Value, weights: ir.Value, tokens: ir.Value) -> ir.Value:
    kind = ir.FunctionType(_WORDS, [_WORDS, _BYTES, _BYTES])
    function = builder.module.globals.get(_SMMLA) or ir.Function(builder.module, kind, _SMMLA)
    return builder.call(function, [total, weights, tokens])


def _add_to_row(builder: ir.IRBuilder, row: ir.Value, matrices: list[ir.Value], lanes: list[int]) -> ir.Value:
    """Add a token's lanes of 8 matrices, each of which holds 2 of the 16 weight rows."""
    fours = [_pick(builder, a, b, lanes) for a, b in zip(matrices[::2], matrices[1::2], strict=True)]
    eights = [_pick(builder, a, b, list(range(8))) for a, b in zip(fours[::2], fours[1::2], strict=True)]
    return builder.add(row, _pick(builder, eights[0], eights[1], list(range(16))))


def with_matrices(single: Emit) -> Emit:
    """A dot product by ``smmla``.

    Args:
        single: what does an odd last token, and kinds of weights that come one vector at a time.
    """

    def emit(
        builder: ir.IRBuilder, tile: list[ir.Value], weights: Sequence[ir.Value], word: Word, signed: bool
    ) -> list[ir.Value]:
        n_paired = len(tile) // 2 * 2 if len(weights) % 2 == 0 else 0
        zero = ir.Constant(_WORDS, [0] * 4)
        totals = [[zero] * 8 for _ in range(0, n_paired, 2)]
        for j in range(0, len(weights), 2) if n_paired else ():
            pairs = _weight_pairs(builder, weights[j], weights[j + 1])
            for i, total in enumerate(totals):
                tokens = _token_pair(builder, word, 2 * i, j)
                totals[i] = [_smmla(builder, t, pair, tokens) for t, pair in zip(total, pairs, strict=True)]
        rows = [_add_to_row(builder, tile[m], totals[m // 2], (_EVEN, _ODD)[m % 2]) for m in range(n_paired)]

        def rest(m: int, j: int) -> ir.Value:
            return word(n_paired + m, j)

        return rows + single(builder, tile[n_paired:], weights, rest, signed)

    return emit
