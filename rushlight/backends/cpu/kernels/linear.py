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
from rushlight.backends.cpu.kernels.work import LEAST_GROUPS, inline, row_count, run_of, smaller, take_run
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.simd import load_f32x16, splat_f32, store_f32x16
from rushlight.backends.cpu.target import Target

TOKENS_PER_PIECE = MOST_ROWS
"""Rows of activations in a piece of work: at 2,048 columns 256 KiB, which stays in the second cache."""

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

    @inline
    def finish(op, group, token, end):
        if op.scale != ONE:
            scale_products(op, group, token, end)
        if op.bias != 0:
            add_bias(op, group, token, end)
        if op.residual != 0:
            add_residual(op, group, token, end)

    def kernel(op, step, thread, n_threads):
        rows = row_count(step, op.rows)
        n_items = op.n_groups * ((rows + TOKENS_PER_PIECE - 1) // TOKENS_PER_PIECE)
        item, stop = run_of(thread, n_items, n_threads, LEAST_GROUPS)
        while item < n_items:
            while item < stop:
                token, group = item // op.n_groups * TOKENS_PER_PIECE, item % op.n_groups
                end = smaller(rows, token + TOKENS_PER_PIECE)
                weight = op.weight + group * op.n_blocks * group_bytes
                multiply(op, weight, token, group, end - token)
                finish(op, group, token, end)
                item += 1
            item, stop = take_run(op, n_items, n_threads, LEAST_GROUPS)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each weight type, by name."""
    return {
        f"linear_{name}": _kernel(layout.group_bytes, products(name, target).many)
        for name, layout in LAYOUTS.items()
    }
