"""Q4_K, Q5_K, Q6_K: blocks of 256 values, in 8 groups of 32 or 16 groups of 16 with a scale each.

Q4_K and Q5_K: a value of group `g` is ``d * sc[g] * q - dmin * m[g]``. Bytes ``32 c`` to ``32 c + 31`` of
`qs` hold the low four bits of group ``2 c`` in their low halves and of group ``2 c + 1`` in their high
halves; bit `g` of byte `l` of `qh` is the fifth bit of value `l` of group `g`.

Q6_K: a value of group `g` is ``d * scales[g] * (q - 32)``. In each half of 128 values, 64 bytes of `ql` hold
the low four bits of values 0 to 63 in their low halves and of 64 to 127 in their high halves, and 32 bytes of
`qh` the upper two bits of values `l`, ``l + 32``, ``l + 64`` and ``l + 96``, the first lowest.

Source: ``ggml-quants.c`` in ggml; dequantization is, bit for bit, that of gguf-py's ``quants.py``.
"""

from __future__ import annotations

import numpy as np

from rushlight.gguf.types import GGMLType
from rushlight.quants.blocks import BLOCK_DTYPES, QK_K, Blocks, Bytes, Floats
from rushlight.quants.halves import inverse, to_half
from rushlight.quants.search import EPSILON, fit_scale, fit_scale_and_min

_Q4_K_STEPS = [-1.0 + 0.1 * i for i in range(21)]
_Q5_K_STEPS = [-0.5 + 0.1 * i for i in range(16)]


def dequantize_q4_k(blocks: Blocks) -> Floats:
    """[N] Q4_K to float32 [N, 256]."""
    return _scaled(blocks, _unpack_nibbles(blocks["qs"], 32))


def dequantize_q5_k(blocks: Blocks) -> Floats:
    """[N] Q5_K to float32 [N, 256]."""
    shifts = np.arange(8, dtype=np.uint8)[:, None]
    fifth = (blocks["qh"][:, None, :] >> shifts) & np.uint8(1)
    return _scaled(blocks, _unpack_nibbles(blocks["qs"], 32) | (fifth << np.uint8(4)))


def dequantize_q6_k(blocks: Blocks) -> Floats:
    """[N] Q6_K to float32 [N, 256]."""
    shifts = np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    upper = (blocks["qh"].reshape(-1, 2, 1, 32) >> shifts) & np.uint8(3)
    lower = _unpack_nibbles(blocks["ql"], 64).reshape(-1, 2, 4, 32)
    q = (lower | (upper << np.uint8(4))).astype(np.int8) - np.int8(32)
    d = blocks["d"].astype(np.float32)[:, None] * blocks["scales"].astype(np.float32)
    values: Floats = (d[:, :, None] * q.reshape(-1, 16, 16).astype(np.float32)).reshape(-1, QK_K)
    return values


def quantize_q4_k(values: Floats) -> Blocks:
    """float32 [N, 256] to [N] Q4_K."""
    blocks, q = _with_minimums(values, GGMLType.Q4_K, 15, _Q4_K_STEPS)
    blocks["qs"] = _pack_nibbles(q, 32)
    return blocks


def quantize_q5_k(values: Floats) -> Blocks:
    """float32 [N, 256] to [N] Q5_K."""
    blocks, q = _with_minimums(values, GGMLType.Q5_K, 31, _Q5_K_STEPS)
    blocks["qs"] = _pack_nibbles(q & np.uint8(15), 32)
    shifts = np.arange(8, dtype=np.uint8)[:, None]
    blocks["qh"] = np.bitwise_or.reduce((q.reshape(-1, 8, 32) >> np.uint8(4)) << shifts, axis=1)
    return blocks


def quantize_q6_k(values: Floats) -> Blocks:
    """float32 [N, 256] to [N] Q6_K."""
    groups = values.reshape(-1, 16, 16)
    group_scales = fit_scale(groups.reshape(-1, 16), 32).reshape(-1, 16)
    largest = np.take_along_axis(group_scales, np.abs(group_scales).argmax(axis=1, keepdims=True), axis=1)
    largest = np.where(np.abs(largest) < EPSILON, np.float32(0), largest)
    blocks = np.empty(len(values), BLOCK_DTYPES[GGMLType.Q6_K])
    blocks["d"] = to_half(np.float32(0) - largest[:, 0] / np.float32(128), "Q6_K")
    blocks["scales"] = np.clip(np.rint(group_scales * inverse(largest) * np.float32(-128)), -128, 127)
    d = blocks["d"].astype(np.float32)[:, None, None] * blocks["scales"].astype(np.float32)[:, :, None]
    q = (np.clip(np.rint(groups * inverse(d)), -32, 31) + 32).astype(np.uint8).reshape(-1, QK_K)
    blocks["ql"] = _pack_nibbles(q & np.uint8(15), 64)
    shifts = np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    upper = (q.reshape(-1, 2, 4, 32) >> np.uint8(4)) << shifts
    blocks["qh"] = np.bitwise_or.reduce(upper, axis=2).reshape(-1, QK_K // 4)
    return blocks


def unpack_scales(scales: Bytes) -> tuple[Bytes, Bytes]:
    """The 6-bit scales and minimums, uint8 [N, 8] each, of the 12 packed bytes [N, 12] of Q4_K and Q5_K.

    Scales and minimums 0 to 3 are the low six bits of bytes 0 to 3 and 4 to 7, whose top two bits are the top
    two of scales and minimums 4 to 7; the low four of those are the halves of bytes 8 to 11.
    """
    a, b, c = scales[:, 0:4], scales[:, 4:8], scales[:, 8:12]
    sc = np.concatenate([a & np.uint8(63), (c & np.uint8(15)) | ((a >> np.uint8(2)) & np.uint8(48))], axis=1)
    m = np.concatenate([b & np.uint8(63), (c >> np.uint8(4)) | ((b >> np.uint8(2)) & np.uint8(48))], axis=1)
    return sc, m


def _pack_scales(sc: Bytes, m: Bytes) -> Bytes:
    a = sc[:, :4] | (sc[:, 4:] >> np.uint8(4) << np.uint8(6))
    b = m[:, :4] | (m[:, 4:] >> np.uint8(4) << np.uint8(6))
    c = (sc[:, 4:] & np.uint8(15)) | (m[:, 4:] << np.uint8(4))
    return np.concatenate([a, b, c], axis=1)


def _scaled(blocks: Blocks, q: Bytes) -> Floats:
    """float32 [N, 256] of integers [N, 8, 32] and the scales and minimums of Q4_K or Q5_K blocks [N]."""
    sc, m = unpack_scales(blocks["scales"])
    d = blocks["d"].astype(np.float32)[:, None] * sc.astype(np.float32)
    dm = blocks["dmin"].astype(np.float32)[:, None] * m.astype(np.float32)
    values: Floats = (d[:, :, None] * q.astype(np.float32) - dm[:, :, None]).reshape(-1, QK_K)
    return values


def _with_minimums(values: Floats, type: GGMLType, q_max: int, steps: list[float]) -> tuple[Blocks, Bytes]:
    """Q4_K or Q5_K blocks [N] with `d`, `dmin` and `scales` filled in, and the integers [N, 256]."""
    scales, minimums = fit_scale_and_min(values.reshape(-1, 32), q_max, steps)
    blocks = np.empty(len(values), BLOCK_DTYPES[type])
    d, sc = _shared_scale(scales.reshape(-1, 8))
    dmin, m = _shared_scale(minimums.reshape(-1, 8))
    blocks["d"], blocks["dmin"] = to_half(d, type.name), to_half(dmin, type.name)
    blocks["scales"] = _pack_scales(sc, m)
    d = blocks["d"].astype(np.float32)[:, None] * sc.astype(np.float32)
    dm = blocks["dmin"].astype(np.float32)[:, None] * m.astype(np.float32)
    q = np.rint((values.reshape(-1, 8, 32) + dm[:, :, None]) * inverse(d)[:, :, None])
    return blocks, np.clip(q, 0, q_max).astype(np.uint8).reshape(-1, QK_K)


def _shared_scale(factors: Floats) -> tuple[Floats, Bytes]:
    """A scale [N] and 6-bit integers [N, 8] whose products come close to `factors`, all at least 0."""
    d = factors.max(axis=1) / np.float32(63)
    return d, np.clip(np.rint(factors * inverse(d)[:, None]), 0, 63).astype(np.uint8)


def _unpack_nibbles(qs: Bytes, run: int) -> Bytes:
    """Halves of bytes [N, 128]: of each `run` bytes the low ones, then the high ones; [N, 256 / run, run]."""
    pairs = qs.reshape(len(qs), -1, 1, run)
    halves = np.concatenate([pairs & np.uint8(15), pairs >> np.uint8(4)], axis=2)
    return halves.reshape(len(qs), -1, run)


def _pack_nibbles(q: Bytes, run: int) -> Bytes:
    pairs = q.reshape(len(q), -1, 2, run)
    packed: Bytes = (pairs[:, :, 0] | (pairs[:, :, 1] << np.uint8(4))).reshape(len(q), -1)
    return packed
