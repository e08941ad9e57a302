"""How a packed block of each weight type becomes small integers, scales and offsets.

The sizes stand in `layout`; `packing` writes what is read here. A format's function adds one packed block, of
32 columns here and of 256 in `formats_superblocks`, to a tile of tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.records import META_START, META_SUM
from rushlight.backends.cpu.simd import (
    dot,
    dot_signed,
    high_bits,
    high_nibbles,
    load_bf16x16,
    load_f16x16,
    load_f32x16,
    load_i8x64,
    low_nibbles,
    outer_add,
    prefetch,
    prefetch_second,
    scale_add,
    start_tile,
    zero_i32_tile,
)

BlockSums = Callable[[int, int], Any]
"""Of the rows of a tile, and how far ahead weights are fetched: the function that adds one packed block."""


def fetching(rows: int, fetch_bytes: int, n_bytes: int) -> Any:
    """The function that fetches what lies `fetch_bytes` ahead of a run of `n_bytes`; nothing if that is 0.

    One token uses weights once and at once. A tile takes its time and fills the first cache with activations.
    """
    fetch_line = prefetch if rows == 1 else prefetch_second

    @inline
    def fetch(weights):
        if fetch_bytes > 0:
            for line in range(0, n_bytes, 64):
                fetch_line(weights + fetch_bytes + line)

    return fetch


@inline
def nibbles(q):
    """256 bytes of nibbles: columns 0 to 15 of the 32 are low nibbles, 16 to 31 high ones."""
    a, b, c, d = load_i8x64(q), load_i8x64(q + 64), load_i8x64(q + 128), load_i8x64(q + 192)
    low = (low_nibbles(a), low_nibbles(b), low_nibbles(c), low_nibbles(d))
    high = (high_nibbles(a), high_nibbles(b), high_nibbles(c), high_nibbles(d))
    return low + high


def nibble_sums(rows: int) -> Any:
    """The function that adds 32 columns of `nibbles`."""

    @inline
    def sums(start, q, x, x_stride):
        return dot(start, nibbles(q), x, x_stride, "u4")

    return sums


@inline
def _five_bit_halves(q):
    a, b, c, d = load_i8x64(q), load_i8x64(q + 64), load_i8x64(q + 128), load_i8x64(q + 192)
    bits = load_i8x64(q + 256)
    low = (
        low_nibbles(a) | high_bits(bits, 0, 1),
        low_nibbles(b) | high_bits(bits, 1, 1),
        low_nibbles(c) | high_bits(bits, 2, 1),
        low_nibbles(d) | high_bits(bits, 3, 1),
    )
    high = (
        high_nibbles(a) | high_bits(bits, 4, 1),
        high_nibbles(b) | high_bits(bits, 5, 1),
        high_nibbles(c) | high_bits(bits, 6, 1),
        high_nibbles(d) | high_bits(bits, 7, 1),
    )
    return low, high


@inline
def five_bits(q):
    """256 bytes of nibbles, then 64 of fifth bits: bit j of a byte belongs to its columns of vector j."""
    low, high = _five_bit_halves(q)
    return low + high


def five_bit_sums(rows: int) -> Any:
    """The function that adds 32 columns of `five_bits`."""

    @inline
    def sums(start, q, x, x_stride):
        low, high = _five_bit_halves(q)
        return dot(dot(start, low, x, x_stride, "u5"), high, x + 16, x_stride, "u5")

    return sums


def _centred(sums: Callable[[int], Any], shift: int, n_bytes: int) -> BlockSums:
    """Q4_0 and Q5_0: 16 half scales, then integers with an offset of ``8 << shift``, where sums start."""

    def block_sums(rows: int, fetch_bytes: int) -> Any:
        integers, fetch = sums(rows), fetching(rows, fetch_bytes, n_bytes)

        @inline
        def add(total, w, x, x_stride, meta, meta_stride):
            fetch(w)
            start = start_tile(rows, meta + META_START, meta_stride, shift)
            return scale_add(total, integers(start, w + 32, x, x_stride), load_f16x16(w), meta, meta_stride)

        return add

    return block_sums


def _with_minimum(sums: Callable[[int], Any], n_bytes: int) -> BlockSums:
    """Q4_1 and Q5_1: 16 half scales, 16 half minima, then unsigned integers."""

    def block_sums(rows: int, fetch_bytes: int) -> Any:
        integers, fetch = sums(rows), fetching(rows, fetch_bytes, n_bytes)

        @inline
        def add(total, w, x, x_stride, meta, meta_stride):
            fetch(w)
            products = integers(zero_i32_tile(rows), w + 64, x, x_stride)
            total = scale_add(total, products, load_f16x16(w), meta, meta_stride)
            return outer_add(total, load_f16x16(w + 32), meta + META_SUM, meta_stride)

        return add

    return block_sums


def _q8_0(rows: int, fetch_bytes: int) -> Any:
    """16 half scales, then 8 vectors of signed bytes."""
    fetch = fetching(rows, fetch_bytes, LAYOUTS["q8_0"].group_bytes)

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch(w)
        weights = (
            load_i8x64(w + 32), load_i8x64(w + 96), load_i8x64(w + 160), load_i8x64(w + 224),
            load_i8x64(w + 288), load_i8x64(w + 352), load_i8x64(w + 416), load_i8x64(w + 480),
        )  # fmt: skip
        start = zero_i32_tile(rows)
        products = dot_signed(start, weights, x, x_stride, meta + META_START, meta_stride)
        return scale_add(total, products, load_f16x16(w), meta, meta_stride)

    return add


FORMATS: dict[str, BlockSums] = {
    "q4_0": _centred(nibble_sums, 0, LAYOUTS["q4_0"].group_bytes),
    "q4_1": _with_minimum(nibble_sums, LAYOUTS["q4_1"].group_bytes),
    "q5_0": _centred(five_bit_sums, 1, LAYOUTS["q5_0"].group_bytes),
    "q5_1": _with_minimum(five_bit_sums, LAYOUTS["q5_1"].group_bytes),
    "q8_0": _q8_0,
}

FLOATS: dict[str, Any] = {"f32": load_f32x16, "f16": load_f16x16, "bf16": load_bf16x16}
"""How 16 weights are loaded."""
