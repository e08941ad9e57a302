"""Weights from the file's blocks to the layout of the matrix kernels (`formats`): 16 rows side by side.

A vector of 64 bytes holds 4 neighbouring columns of each of 16 rows, so most of the work is moving 32-bit
words: word j of a row's integers goes to vector j, lane `row`. A block of 32 columns of nibbles is 4 vectors
of bytes whose low halves are columns 0 to 15 and whose high halves are columns 16 to 31. A function packs one
row's block from `source` (the layouts of ggml's ``block_*`` structs) into its lanes at `target`, or one block
of each of 16 rows at once (`packing_rows`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.backends.cpu.kernels.packing_codebooks import CODEBOOK_PACKERS
from rushlight.backends.cpu.kernels.packing_few_bits import FEW_BIT_PACKERS
from rushlight.backends.cpu.kernels.packing_rows import ROW_PACKERS, row_kernel
from rushlight.backends.cpu.kernels.packing_tables import TABLE_PACKERS
from rushlight.backends.cpu.kernels.work import inline, smaller, take
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.simd import load_u16, load_u32, store_u16, store_u32
from rushlight.backends.cpu.target import Target


@inline
def _move_half(source, target, row):
    store_u16(target + 2 * row, load_u16(source))


@inline
def _word(source, target, row):
    store_u32(target + 4 * row, load_u32(source))


PACKERS: dict[str, Any] = {
    "f32": _word,
    "f16": _move_half,
    "bf16": _move_half,
    **FEW_BIT_PACKERS,
    **TABLE_PACKERS,
    **CODEBOOK_PACKERS,
}


def _kernel(pack_block: Any, block_bytes: int, group_bytes: int) -> Callable[..., None]:
    """Pack groups of rows; lanes past the last row keep the zeros that were there."""

    def kernel(op, step, thread, n_threads):
        group = thread
        while group < op.n_groups:
            target = op.y + group * op.n_blocks * group_bytes
            for row in range(smaller(16, op.n_rows - 16 * group)):
                source = op.x + (16 * group + row) * op.x_stride
                for block in range(op.n_blocks):
                    pack_block(source + block * block_bytes, target + block * group_bytes, row)
            group = take(op, op.n_groups, n_threads)

    return kernel


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """A kernel for each type, by name."""
    packers = {name: (_kernel, pack) for name, pack in PACKERS.items()}
    packers |= {name: (row_kernel, pack) for name, pack in ROW_PACKERS.items()}
    return {
        f"pack_{name}": kernel(pack, LAYOUTS[name].block_bytes, LAYOUTS[name].group_bytes)
        for name, (kernel, pack) in packers.items()
    }
