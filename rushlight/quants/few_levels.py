"""TQ1_0, TQ2_0, Q1_0, Q2_0: values of two, three or four levels, with one scale a block.

TQ2_0: 256 values ``d * (q - 1)``, packed like Q2_K's. TQ1_0: 256 values ``d * (t - 1)``, t from 0 to 2, five
a byte: a byte is a fraction of 256 in base 3, its first digit that of the lowest value. The first 32 bytes
hold values `l`, ``l + 32`` and so on, the next 16 those of the 80 after them, and the 4 of `qh` the last 16,
four a byte. Q1_0: 128 values, `d` where the bit is set, else ``-d``. Q2_0: 64 values ``d * (q - 1)``,
neighbours in one byte, the first lowest.

Source: ``ggml-quants.c`` in ggml; TQ1_0 and TQ2_0 are, bit for bit, those of gguf-py's ``quants.py``.
"""

from __future__ import annotations

import numpy as np

from rushlight.gguf.types import GGMLType
from rushlight.quants.blocks import BLOCK_DTYPES, Blocks, Bytes, Floats
from rushlight.quants.halves import inverse, to_half
from rushlight.quants.low_k_quants import pack_pairs, unpack_pairs

_POWERS = np.array([1, 3, 9, 27, 81], np.uint8)[:, None]
_PAIRS = np.arange(0, 8, 2, dtype=np.uint8)
_TQ1_0_RUNS = ((0, 32, 5), (32, 48, 5), (48, 52, 4))
"""First byte, end, and values of each of its bytes."""


def trits(blocks: Blocks) -> Bytes:
    """The digits 0 to 2 of [N] TQ1_0: uint8 [N, 256]. A byte that is no valid code gives 2 at most too."""
    packed = np.concatenate([blocks["qs"], blocks["qh"]], axis=1)
    runs = []
    for start, stop, n in _TQ1_0_RUNS:
        # Multiplying moves digits out at the top; what is left, times 3, carries the next one over 256.
        rest = packed[:, None, start:stop] * _POWERS[:n]
        runs.append(((rest.astype(np.uint16) * np.uint16(3)) >> np.uint16(8)).reshape(len(blocks), -1))
    return np.concatenate(runs, axis=1).astype(np.uint8)


def dequantize_tq1_0(blocks: Blocks) -> Floats:
    """[N] TQ1_0 to float32 [N, 256]."""
    return _scaled(blocks, trits(blocks))


def dequantize_tq2_0(blocks: Blocks) -> Floats:
    """[N] TQ2_0 to float32 [N, 256]."""
    return _scaled(blocks, unpack_pairs(blocks["qs"]))


def dequantize_q1_0(blocks: Blocks) -> Floats:
    """[N] Q1_0 to float32 [N, 128]."""
    d = blocks["d"].astype(np.float32)[:, None]
    values: Floats = np.where(np.unpackbits(blocks["qs"], axis=1, bitorder="little") == 1, d, -d)
    return values


def dequantize_q2_0(blocks: Blocks) -> Floats:
    """[N] Q2_0 to float32 [N, 64]."""
    q = (blocks["qs"][:, :, None] >> _PAIRS) & np.uint8(3)
    return _scaled(blocks, q.reshape(len(blocks), -1))


def quantize_tq1_0(values: Floats) -> Blocks:
    """float32 [N, 256] to [N] TQ1_0."""
    blocks, q = _largest_and_levels(values, GGMLType.TQ1_0)
    packed, first = [], 0
    for start, stop, n in _TQ1_0_RUNS:
        width = stop - start
        digits = q[:, first : first + n * width].reshape(-1, n, width)
        number = (digits * _POWERS[::-1][:n]).sum(axis=1, dtype=np.uint16)
        # Up to the next fraction of 256, so that the digits come out again.
        packed.append((number * np.uint16(256) + np.uint16(242)) // np.uint16(243))
        first += n * width
    both = np.concatenate(packed, axis=1).astype(np.uint8)
    blocks["qs"], blocks["qh"] = both[:, :48], both[:, 48:]
    return blocks


def quantize_tq2_0(values: Floats) -> Blocks:
    """float32 [N, 256] to [N] TQ2_0."""
    blocks, q = _largest_and_levels(values, GGMLType.TQ2_0)
    blocks["qs"] = pack_pairs(q)
    return blocks


def quantize_q1_0(values: Floats) -> Blocks:
    """float32 [N, 128] to [N] Q1_0: signs, and the mean magnitude."""
    blocks = np.empty(len(values), BLOCK_DTYPES[GGMLType.Q1_0])
    magnitudes = np.abs(values)
    # One after the other, as ggml adds them.
    total = np.zeros(len(values), np.float32)
    for column in range(values.shape[1]):
        total += magnitudes[:, column]
    blocks["d"] = to_half(total / np.float32(values.shape[1]), "Q1_0")
    blocks["qs"] = np.packbits(values >= 0, axis=1, bitorder="little")
    return blocks


def quantize_q2_0(values: Floats) -> Blocks:
    """float32 [N, 64] to [N] Q2_0: the largest magnitude is one step."""
    blocks, q = _largest_and_levels(values, GGMLType.Q2_0)
    blocks["qs"] = np.bitwise_or.reduce(q.reshape(len(q), -1, 4) << _PAIRS, axis=2)
    return blocks


def _scaled(blocks: Blocks, q: Bytes) -> Floats:
    centred = (q.astype(np.int8) - np.int8(1)).astype(np.float32)
    values: Floats = blocks["d"].astype(np.float32)[:, None] * centred
    return values


def _largest_and_levels(values: Floats, type: GGMLType) -> tuple[Blocks, Bytes]:
    """Blocks with the largest magnitude as `d`, and levels 0 to 2; halves are rounded away from zero."""
    largest = np.abs(values).max(axis=1, keepdims=True)
    scaled = values * inverse(largest)
    whole = np.floor(np.abs(scaled))
    level = np.copysign(whole + (np.abs(scaled) - whole >= 0.5), scaled)
    blocks = np.empty(len(values), BLOCK_DTYPES[type])
    blocks["d"] = to_half(largest[:, 0], type.name)
    return blocks, (level.astype(np.int8) + np.int8(1)).astype(np.uint8)
