"""What the machine can do at most: kernels that only read, only add integer products, or only multiply.

They are made as all kernels are and share their work as all kernels do, so that their speed is the limit of
the matrix kernels on the same threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.dots import DOT_KINDS, DOTS
from rushlight.backends.cpu.kernels.peak_shapes import PEAK_KIND, PEAK_SHAPES, READ_BYTES, ROUNDS
from rushlight.backends.cpu.kernels.work import take
from rushlight.backends.cpu.simd import (
    load_f32x16,
    load_i8x64,
    load_i32,
    load_tile,
    outer_add,
    store_f32x16,
    store_tile,
    zero_i32_tile,
)
from rushlight.backends.cpu.simd.types import i8x64
from rushlight.backends.cpu.target import Target

_VECTORS = DOT_KINDS[PEAK_KIND].vectors


def _add_products(instructions: str, n_words: int) -> Any:
    """The target's dot product of weights in memory and activations in registers, added to a tile."""

    @intrinsic
    def add(typing_context: Any, tile: Any, weights: Any, words: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            rows = [builder.extract_value(args[0], m) for m in range(tile.rows)]
            vectors = [builder.extract_value(args[1], j) for j in range(len(weights))]
            held = [builder.extract_value(args[2], i) for i in range(len(words))]
            sums = DOTS[instructions](builder, rows, vectors, lambda m, j: held[m % n_words], False)
            result: ir.Value = ir.Constant(tile.ir_type, ir.Undefined)
            for m, row in enumerate(sums):
                result = builder.insert_value(result, row, m)
            return result

        return tile(tile, types.UniTuple(i8x64, len(weights)), words), generate

    return add


def _peak_dot(target: Target) -> Callable[..., None]:
    shape = PEAK_SHAPES[target.dots]
    rows, add = shape.rows, _add_products(target.dots, shape.words)

    def peak_dot(op, step, thread, n_threads):
        words = (load_i32(op.x), load_i32(op.x + 4), load_i32(op.x + 8), load_i32(op.x + 12))
        tile = zero_i32_tile(rows)
        piece = thread
        while piece < op.n_pieces:
            for _ in range(op.piece):
                w = op.x
                for _ in range(ROUNDS):
                    weights = (
                        load_i8x64(w), load_i8x64(w + 64), load_i8x64(w + 128), load_i8x64(w + 192),
                        load_i8x64(w + 256), load_i8x64(w + 320), load_i8x64(w + 384), load_i8x64(w + 448),
                    )  # fmt: skip
                    tile = add(tile, weights, words)
                    w += 64 * _VECTORS
            piece = take(op, op.n_pieces, n_threads)
        store_tile(tile, op.y + 64 * rows * thread, 64)

    return peak_dot


def _peak_fma(target: Target) -> Callable[..., None]:
    rows = PEAK_SHAPES[target.dots].float_rows

    def peak_fma(op, step, thread, n_threads):
        tile = load_tile(rows, op.x, 64)
        piece = thread
        while piece < op.n_pieces:
            for _ in range(op.piece):
                for w in range(op.x, op.x + 64 * ROUNDS, 64):
                    tile = outer_add(tile, load_f32x16(w), op.x, 0)
            piece = take(op, op.n_pieces, n_threads)
        store_tile(tile, op.y + 64 * rows * thread, 64)

    return peak_fma


def peak_read(op, step, thread, n_threads):
    """Add up what is read, so that nothing is left out: four streams, `op.stream` bytes apart."""
    a = b = c = d = e = f = g = h = load_f32x16(op.y)
    piece = thread
    while piece < op.n_pieces:
        x = op.x + piece * op.piece
        for _ in range(op.piece // READ_BYTES):
            second, third, fourth = x + op.stream, x + 2 * op.stream, x + 3 * op.stream
            a, b = a + load_f32x16(x), b + load_f32x16(x + 64)
            c, d = c + load_f32x16(second), d + load_f32x16(second + 64)
            e, f = e + load_f32x16(third), f + load_f32x16(third + 64)
            g, h = g + load_f32x16(fourth), h + load_f32x16(fourth + 64)
            x += op.advance
        piece = take(op, op.n_pieces, n_threads)
    store_f32x16(op.y + 64 * thread, ((a + b) + (c + d)) + ((e + f) + (g + h)))


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The kernels, by name."""
    return {"peak_read": peak_read, "peak_dot": _peak_dot(target), "peak_fma": _peak_fma(target)}
