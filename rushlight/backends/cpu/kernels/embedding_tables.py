"""Rows of the embedding table in the types whose four bits choose one of 16 levels; see `embedding`."""

from __future__ import annotations

from typing import Any

from numba import types

from rushlight.backends.cpu.kernels.packing_tables import iq4_xs_scale
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import load_f16, load_u8, store_f32
from rushlight.backends.cpu.simd.tables import constant_table, f32_from_bits
from rushlight.quants.four_bit_floats import DOUBLED_FP4
from rushlight.quants.iq4 import LEVELS

_iq4_levels, _fp4_levels = constant_table("iq4", LEVELS), constant_table("fp4", DOUBLED_FP4)


@inline
def _level(levels, byte, high):
    """The signed byte at a nibble's place."""
    return types.float32((load_u8(levels + ((byte >> (4 * high)) & 15)) ^ 128) - 128)


@inline
def _run(levels, qs, n, target, scale, d):
    """2 n columns in n bytes, the low halves first."""
    for i in range(n):
        byte = load_u8(qs + i)
        store_f32(target + 4 * i, d * _level(levels, byte, 0) * scale)
        store_f32(target + 4 * (n + i), d * _level(levels, byte, 1) * scale)


@inline
def _iq4_nl(source, target, scale):
    _run(_iq4_levels(), source + 2, 16, target, scale, load_f16(source))


@inline
def _iq4_xs(source, target, scale):
    d = load_f16(source)
    for block in range(8):
        block_scale = d * types.float32(iq4_xs_scale(source, block))
        _run(_iq4_levels(), source + 8 + 16 * block, 16, target + 128 * block, scale, block_scale)


@inline
def _half_power(e):
    """``2**(e - 128)``."""
    bits = (e - 1) << 23
    if e < 2:
        bits = 0x00200000 << e
    return f32_from_bits(bits)


@inline
def _half_ue4m3(x):
    """Half of an unsigned number with 4 bits of exponent and 3 of mantissa; 0x7F is 0."""
    value = f32_from_bits(((x & 127) << 20) + (119 << 23))
    if (x >> 3) & 15 == 0:
        value = types.float32(x & 7) * types.float32(0.0009765625)
    if x == 127:
        value = types.float32(0.0)
    return value


@inline
def _mxfp4(source, target, scale):
    _run(_fp4_levels(), source + 1, 16, target, scale, _half_power(load_u8(source)))


@inline
def _nvfp4(source, target, scale):
    for group in range(4):
        d = _half_ue4m3(load_u8(source + group))
        _run(_fp4_levels(), source + 4 + 8 * group, 8, target + 64 * group, scale, d)


TABLE_BLOCKS: dict[str, Any] = {
    "iq4_nl": _iq4_nl,
    "iq4_xs": _iq4_xs,
    "mxfp4": _mxfp4,
    "nvfp4": _nvfp4,
}
