"""How a packed block of four bits a weight that choose one of 16 levels becomes small integers and scales.

The nibbles lie as those of Q4_0 do: 256 bytes hold 32 columns, 0 to 15 in the low nibbles.
"""

from __future__ import annotations

from typing import Any

from rushlight.backends.cpu.kernels.formats import BlockSums, fetching
from rushlight.backends.cpu.kernels.unpacked import SCALES, WEIGHTS, Unpacking
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.records import META_BYTES, META_HALF, META_START, META_STARTS
from rushlight.backends.cpu.simd import (
    above,
    below,
    dot,
    dot_signed,
    high_nibbles,
    load_f16x16,
    load_f32x16,
    load_i8x64,
    load_s8x16,
    low_nibbles,
    product_add,
    scale_add,
    scaled_tile_add,
    select,
    splat_f32,
    splat_i32,
    start_tile,
    store_f32x16,
    store_i8x64,
    to_f32,
    zero_i32_tile,
    zero_tile,
)
from rushlight.backends.cpu.simd.tables import as_f32, bit_field, byte_table, load_u8x16
from rushlight.backends.cpu.simd.tile_sums import dot_signed_16, start_rest_tile
from rushlight.quants.four_bit_floats import DOUBLED_FP4
from rushlight.quants.iq4 import LEVELS

_iq4 = byte_table(LEVELS.tolist())
_iq4_upper = byte_table((LEVELS.astype(int) + 128 >> 4).tolist())
_iq4_lower = byte_table((LEVELS.astype(int) + 128 & 15).tolist())
_fp4_plus_16 = byte_table((DOUBLED_FP4 + 16).tolist())


@inline
def half_power(e):
    """``2**(e - 128)`` of int32 lanes from 0 to 255, the subnormal ones too."""
    small, normal = bit_field(e + splat_i32(1), 0, 2, 21), bit_field(e - splat_i32(1), 0, 8, 23)
    return as_f32(select(below(e, splat_i32(2)), small, normal))


@inline
def half_ue4m3(x):
    """Half of the unsigned numbers with 4 bits of exponent and 3 of mantissa in int32 lanes, 0 to 127."""
    normal = as_f32(bit_field(x, 0, 7, 20) + splat_i32(119 << 23))
    return select(above(x, splat_i32(7)), normal, to_f32(x) * splat_f32(0.0009765625))


def _levels(lookup: Any) -> Any:
    """The function that looks up 4 vectors."""

    @inline
    def levels(a, b, c, d):
        return lookup(a), lookup(b), lookup(c), lookup(d)

    return levels


_iq4_levels, _fp4_levels_plus_16 = _levels(_iq4), _levels(_fp4_plus_16)
_iq4_upper_nibbles, _iq4_lower_nibbles = _levels(_iq4_upper), _levels(_iq4_lower)


@inline
def _nibbles(q):
    """The low and the high nibbles of 4 vectors."""
    a, b, c, d = load_i8x64(q), load_i8x64(q + 64), load_i8x64(q + 128), load_i8x64(q + 192)
    low = low_nibbles(a), low_nibbles(b), low_nibbles(c), low_nibbles(d)
    return low, (high_nibbles(a), high_nibbles(b), high_nibbles(c), high_nibbles(d))


@inline
def iq4_nibbles(q):
    """The upper and the lower nibbles of 32 columns of levels plus 128."""
    low, high = _nibbles(q)
    upper = _iq4_upper_nibbles(*low) + _iq4_upper_nibbles(*high)
    return upper, _iq4_lower_nibbles(*low) + _iq4_lower_nibbles(*high)


@inline
def fp4_plus_16(q):
    """32 columns of levels plus 16."""
    low, high = _nibbles(q)
    return _fp4_levels_plus_16(*low) + _fp4_levels_plus_16(*high)


def _iq4_nl(rows: int, fetch_bytes: int) -> Any:
    """16 half scales, then nibbles."""
    fetch = fetching(rows, fetch_bytes, LAYOUTS["iq4_nl"].group_bytes)

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch(w)
        low, high = _nibbles(w + 32)
        weights = _iq4_levels(*low) + _iq4_levels(*high)
        products = dot_signed(zero_i32_tile(rows), weights, x, x_stride, meta + META_START, meta_stride)
        return scale_add(total, products, load_f16x16(w), meta, meta_stride)

    return add


def _iq4_xs(rows: int, fetch_bytes: int) -> Any:
    """16 half scales of scales, 16 signed bytes of each of 8 scales, then 8 blocks of nibbles."""
    fetch_scales, fetch = fetching(rows, fetch_bytes, 160), fetching(rows, fetch_bytes, 256)

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch_scales(w)
        products = zero_tile(rows)
        for block in range(8):
            q = w + 160 + 256 * block
            fetch(q)
            low, high = _nibbles(q)
            y, sums = x + 32 * block, meta + META_STARTS + 8 * block
            part = dot_signed_16(zero_i32_tile(rows), _iq4_levels(*low), y, x_stride, sums, meta_stride)
            part = dot_signed_16(part, _iq4_levels(*high), y + 16, x_stride, sums + 4, meta_stride)
            products = product_add(products, part, to_f32(load_s8x16(w + 32 + 16 * block)))
        return scaled_tile_add(total, products, load_f16x16(w), meta, meta_stride)

    return add


def _mxfp4(rows: int, fetch_bytes: int) -> Any:
    """16 bytes of exponents, then nibbles. The levels are looked up plus 16."""
    fetch = fetching(rows, fetch_bytes, LAYOUTS["mxfp4"].group_bytes)

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch(w)
        low, high = _nibbles(w + 16)
        products = dot(
            start_tile(rows, meta + META_START, meta_stride, 1), _fp4_levels_plus_16(*low), x, x_stride, "u5"
        )
        products = dot(products, _fp4_levels_plus_16(*high), x + 16, x_stride, "u5")
        return scale_add(total, products, half_power(load_u8x16(w)), meta, meta_stride)

    return add


@inline
def _nvfp4_half(total, start, levels, x, x_stride, scale, meta, meta_stride):
    """Add 16 columns, whose levels are looked up plus 16."""
    return scale_add(total, dot(start, levels, x, x_stride, "u5"), scale, meta, meta_stride)


def _nvfp4(rows: int, fetch_bytes: int) -> Any:
    """16 bytes of each of 4 scales, then 2 blocks of nibbles; a scale is that of 16 columns."""
    fetch, meta_bytes = fetching(rows, fetch_bytes, LAYOUTS["nvfp4"].group_bytes), META_BYTES[32]

    @inline
    def add(total, w, x, x_stride, meta, meta_stride):
        fetch(w)
        for block in range(2):
            y, m, scales = x + 32 * block, meta + meta_bytes * block, w + 32 * block
            low, high = _nibbles(w + 64 + 256 * block)
            start, scale = start_tile(rows, m + META_HALF, meta_stride, 0), half_ue4m3(load_u8x16(scales))
            levels = _fp4_levels_plus_16(*low)
            total = _nvfp4_half(total, start, levels, y, x_stride, scale, m, meta_stride)
            start = start_rest_tile(rows, m + META_START, m + META_HALF, meta_stride, 1)
            levels, scale = _fp4_levels_plus_16(*high), half_ue4m3(load_u8x16(scales + 16))
            total = _nvfp4_half(total, start, levels, y + 16, x_stride, scale, m, meta_stride)
        return total

    return add


@inline
def _unpack_nvfp4(w, target, i):
    """Levels plus 16, and 4 scales."""
    for block in range(2):
        low, high = _nibbles(w + 64 + 256 * block)
        vectors = _fp4_levels_plus_16(*low) + _fp4_levels_plus_16(*high)
        place, scales = target + WEIGHTS + 1024 * i + 512 * block, target + SCALES + 256 * i + 128 * block
        for j in range(8):
            store_i8x64(place + 64 * j, vectors[j])
        store_f32x16(scales, half_ue4m3(load_u8x16(w + 32 * block)))
        store_f32x16(scales + 64, half_ue4m3(load_u8x16(w + 32 * block + 16)))


def _unpacked_nvfp4_sums(rows: int) -> Any:
    meta_bytes = META_BYTES[32]

    @inline
    def four(q):
        return load_i8x64(q), load_i8x64(q + 64), load_i8x64(q + 128), load_i8x64(q + 192)

    @inline
    def add(total, unpacked, n_blocks, x, x_stride, meta, meta_stride):
        for block in range(2 * n_blocks):
            q, scales = unpacked + WEIGHTS + 512 * block, unpacked + SCALES + 128 * block
            y, m = x + 32 * block, meta + meta_bytes * block
            start, scale = start_tile(rows, m + META_HALF, meta_stride, 0), load_f32x16(scales)
            total = _nvfp4_half(total, start, four(q), y, x_stride, scale, m, meta_stride)
            start = start_rest_tile(rows, m + META_START, m + META_HALF, meta_stride, 1)
            scale = load_f32x16(scales + 64)
            total = _nvfp4_half(total, start, four(q + 256), y + 16, x_stride, scale, m, meta_stride)
        return total

    return add


NVFP4_UNPACKING = Unpacking(
    64, LAYOUTS["nvfp4"].group_bytes, 2 * META_BYTES[32], _unpack_nvfp4, _unpacked_nvfp4_sums
)
"""For many tokens: its scales take long to decode."""

TABLE_FORMATS: dict[str, BlockSums] = {
    "iq4_nl": _iq4_nl,
    "iq4_xs": _iq4_xs,
    "mxfp4": _mxfp4,
    "nvfp4": _nvfp4,
}
