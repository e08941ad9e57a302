"""Matrix products for every weight type, for one token and for many.

A weight is packed in groups of 16 rows (see `packing`); within a group, block after block. `formats` says how
a block of each type becomes vectors of small integers (4 columns of 16 rows each), scales and offsets; the
rest is the same for all of them. For each block of 32 columns, in this order:
``y += d * (sum(q * a) * a_scale)``, then ``y += m * a_sum``. For each block of 256 columns, whose activations
have one scale: ``y += (d * sum(scale * sum(q * a)) + dmin * sum(minimum * sum(a))) * a_scale``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.backends.cpu.kernels.products import products
from rushlight.backends.cpu.kernels.unpacked import MOST_ROWS
from rushlight.backends.cpu.kernels.work import inline, row_count, smaller, take
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.simd import load_f32x16, splat_f32, store_f32x16
from rushlight.backends.cpu.target import Target

TOKENS_PER_PIECE = MOST_ROWS
"""Rows of activations in a piece of work: at 2,048 columns 256 KiB, which stays in the second cache."""

GROUPS_PER_PIECE = 4
ONE = np.float32(1.0)


def _kernel(group_bytes: int, many: Any) -> Callable[..., None]:
    """Share pieces of groups times tokens among the threads."""

    @inline
    def multiply(op, weight, token, group, count):
        x, meta = op.x + token * op.x_stride, op.meta + token * op.meta_stride
        y = op.y + token * op.y_stride + 64 * group
        many(op.n_blocks, weight, x, op.x_stride, meta, op.meta_stride, y, op.y_stride, count)

    @inline
    def scale_products(op, group, token, end):
        for t in range(token, end):
            y = op.y + t * op.y_stride + 64 * group
            store_f32x16(y, load_f32x16(y) * splat_f32(op.scale))

    @inline
    def add_bias(op, group, token, end):
        bias = load_f32x16(op.bias + 64 * group)
        for t in range(token, end):
            y = op.y + t * op.y_stride + 64 * group
            store_f32x16(y, load_f32x16(y) + bias)

    @inline
    def add_residual(op, group, token, end):
        for t in range(token, end):
            y = op.y + t * op.y_stride + 64 * group
            residual = load_f32x16(op.residual + t * op.residual_stride + 64 * group)
            store_f32x16(y, residual + load_f32x16(y))

    def kernel(op, step, thread, n_threads):
        rows = row_count(step, op.rows)
        group_pieces = (op.n_groups + GROUPS_PER_PIECE - 1) // GROUPS_PER_PIECE
        pieces = group_pieces * ((rows + TOKENS_PER_PIECE - 1) // TOKENS_PER_PIECE)
        piece = take(op)
        while piece < pieces:
            start = piece // group_pieces * TOKENS_PER_PIECE
            end = smaller(rows, start + TOKENS_PER_PIECE)
            first = piece % group_pieces * GROUPS_PER_PIECE
            for group in range(first, smaller(op.n_groups, first + GROUPS_PER_PIECE)):
                weight = op.weight + group * op.n_blocks * group_bytes
                multiply(op, weight, start, group, end - start)
                if op.scale != ONE:
                    scale_products(op, group, start, end)
                if op.bias != 0:
                    add_bias(op, group, start, end)
                if op.residual != 0:
                    add_residual(op, group, start, end)
            piece = take(op)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each weight type, by name."""
    return {
        f"linear_{name}": _kernel(layout.group_bytes, products(name, target).many)
        for name, layout in LAYOUTS.items()
    }
