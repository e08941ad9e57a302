"""Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: blocks of 32 values with one scale, and in ``_1`` one offset.

Byte `j` of `qs` holds the low four bits of value `j` in its low half and of value ``j + 16`` in its high
half; bit `j` of `qh` is the fifth bit of value `j`. A value is ``d * (q - 2^(bits - 1))`` in ``_0`` and
``d * q + m`` in ``_1``.

Source: ``ggml-quants.c`` in ggml; the arithmetic, and so every bit, is that of gguf-py's ``quants.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.gguf.types import GGMLType
from rushlight.quants.blocks import BLOCK_DTYPES, QK, Blocks, Bytes, Floats
from rushlight.quants.halves import inverse, to_half


def dequantize_q4_0(blocks: Blocks) -> Floats:
    """[N] Q4_0 to float32 [N, 32]."""
    return _float(blocks["d"]) * _centred(_unpack_nibbles(blocks["qs"]), 8)


def dequantize_q4_1(blocks: Blocks) -> Floats:
    """[N] Q4_1 to float32 [N, 32]."""
    return _float(blocks["d"]) * _unpack_nibbles(blocks["qs"]).astype(np.float32) + _float(blocks["m"])


def dequantize_q5_0(blocks: Blocks) -> Floats:
    """[N] Q5_0 to float32 [N, 32]."""
    return _float(blocks["d"]) * _centred(_unpack_5_bits(blocks), 16)


def dequantize_q5_1(blocks: Blocks) -> Floats:
    """[N] Q5_1 to float32 [N, 32]."""
    return _float(blocks["d"]) * _unpack_5_bits(blocks).astype(np.float32) + _float(blocks["m"])


def dequantize_q8_0(blocks: Blocks) -> Floats:
    """[N] Q8_0 to float32 [N, 32]."""
    return blocks["qs"].astype(np.float32) * _float(blocks["d"])


def quantize_q4_0(values: Floats) -> Blocks:
    """float32 [N, 32] to [N] Q4_0."""
    d, q = _symmetric(values, 8)
    return _blocks(GGMLType.Q4_0, d=d, qs=_pack_nibbles(q))


def quantize_q4_1(values: Floats) -> Blocks:
    """float32 [N, 32] to [N] Q4_1."""
    d, m, q = _offset(values, 15)
    return _blocks(GGMLType.Q4_1, d=d, m=m, qs=_pack_nibbles(q))


def quantize_q5_0(values: Floats) -> Blocks:
    """float32 [N, 32] to [N] Q5_0."""
    d, q = _symmetric(values, 16)
    return _blocks(GGMLType.Q5_0, d=d, qh=_pack_fifth_bits(q), qs=_pack_nibbles(q & np.uint8(15)))


def quantize_q5_1(values: Floats) -> Blocks:
    """float32 [N, 32] to [N] Q5_1."""
    d, m, q = _offset(values, 31)
    return _blocks(GGMLType.Q5_1, d=d, m=m, qh=_pack_fifth_bits(q), qs=_pack_nibbles(q & np.uint8(15)))


def quantize_q8_0(values: Floats) -> Blocks:
    """float32 [N, 32] to [N] Q8_0; halves are rounded away from zero."""
    d = np.abs(values).max(axis=1, keepdims=True) / np.float32(127)
    scaled = values * inverse(d)
    whole = np.floor(np.abs(scaled))
    q = np.copysign(whole + (np.abs(scaled) - whole >= 0.5), scaled)
    return _blocks(GGMLType.Q8_0, d=d, qs=q.astype(np.int8))


def _float(column: npt.NDArray[Any]) -> Floats:
    values: Floats = column.astype(np.float32).reshape(-1, 1)
    return values


def _centred(q: Bytes, zero: int) -> Floats:
    centred: Floats = (q.astype(np.int8) - np.int8(zero)).astype(np.float32)
    return centred


def _unpack_nibbles(qs: Bytes) -> Bytes:
    q = np.empty((len(qs), QK), np.uint8)
    np.bitwise_and(qs, np.uint8(15), out=q[:, : QK // 2])
    np.right_shift(qs, np.uint8(4), out=q[:, QK // 2 :])
    return q


def _unpack_5_bits(blocks: Blocks) -> Bytes:
    fifth = np.unpackbits(blocks["qh"], axis=1, bitorder="little")
    q: Bytes = _unpack_nibbles(blocks["qs"]) | (fifth << np.uint8(4))
    return q


def _pack_nibbles(q: Bytes) -> Bytes:
    packed: Bytes = q[:, : QK // 2] | (q[:, QK // 2 :] << np.uint8(4))
    return packed


def _pack_fifth_bits(q: Bytes) -> Bytes:
    return np.packbits(q >> np.uint8(4), axis=1, bitorder="little")


def _symmetric(values: Floats, zero: int) -> tuple[Floats, Bytes]:
    """Scale [N, 1] and integers [N, 32] such that the largest magnitude falls on integer 0."""
    largest = np.take_along_axis(values, np.abs(values).argmax(axis=1, keepdims=True), axis=1)
    d = largest / np.float32(-zero)
    q = np.trunc(values * inverse(d) + np.float32(zero + 0.5))
    return d, np.minimum(q, np.float32(2 * zero - 1)).astype(np.uint8)


def _offset(values: Floats, q_max: int) -> tuple[Floats, Floats, Bytes]:
    """Scale and minimum [N, 1] and integers [N, 32] that spread from the smallest value to the largest."""
    m = values.min(axis=1, keepdims=True)
    d = (values.max(axis=1, keepdims=True) - m) / np.float32(q_max)
    q = np.trunc((values - m) * inverse(d) + np.float32(0.5))
    return d, m, np.minimum(q, np.float32(q_max)).astype(np.uint8)


def _blocks(type: GGMLType, **fields: npt.NDArray[Any]) -> Blocks:
    """Blocks with the given fields; `d` and `m` [N, 1] become halves."""
    blocks = np.empty(len(fields["d"]), BLOCK_DTYPES[type])
    for name, field in fields.items():
        blocks[name] = to_half(field[:, 0], type.name) if name in ("d", "m") else field
    return blocks
