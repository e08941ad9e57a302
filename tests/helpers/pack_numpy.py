"""Weights in the layout of the kernels: groups of 16 rows, then blocks of columns, then 16 rows side by side.

A vector of 64 bytes holds 4 neighbouring columns of each of 16 rows. A block of 32 columns is 8 such vectors;
for nibbles the first 4 (columns 0 to 15) are the low halves of 4 vectors of bytes and the last 4 the high
halves. What comes before and behind the nibbles of each type stands in `kernels.formats`. Rows are padded to
a multiple of 16 with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rushlight.gguf import GGMLType

Bytes = npt.NDArray[np.uint8]
LANES = 16


@dataclass(frozen=True)
class Packing:
    """A packed type: columns and bytes of a packed block of 16 rows, and the function that packs.

    The function takes raw blocks uint8 [G, 16, B, block bytes] and gives uint8 [G, B, group_bytes].
    """

    columns: int
    group_bytes: int
    pack: Callable[[Bytes], Bytes]


def _interleave(q: Bytes) -> Bytes:
    """Integers [G, 16, B, columns] to vectors [G, B, columns / 4, 64]."""
    g, rows, b, columns = q.shape
    return q.reshape(g, rows, b, columns // 4, 4).transpose(0, 2, 3, 1, 4).reshape(g, b, columns // 4, 64)


def _side_by_side(fields: Bytes) -> Bytes:
    """Fields [G, 16, B, n * size] of `size` bytes a row to bytes [G, B, n, 16 * size]; here size is 2."""
    g, rows, b, width = fields.shape
    return fields.reshape(g, rows, b, width // 2, 2).transpose(0, 2, 3, 1, 4).reshape(g, b, width // 2 * 32)


def _scales(scales: Bytes) -> Bytes:
    """Signed or unsigned bytes [G, 16, B, n] to [G, B, n * 16]."""
    g, _, b, n = scales.shape
    return scales.transpose(0, 2, 3, 1).reshape(g, b, n * 16)


def _nibbles(qs: Bytes) -> Bytes:
    """Nibbles of 32 columns [..., 16], low ones first, to 256 bytes a block."""
    g, _, b, _ = qs.shape
    return _interleave(qs).reshape(g, b, 256)


def _fifth_bits(bits: Bytes) -> Bytes:
    """The fifth bit of 32 columns [G, 16, B, 32] (0 or 1) to 64 bytes: bit j belongs to vector j."""
    vectors = _interleave(bits)
    shifts = np.arange(8, dtype=np.uint8)[:, None]
    return np.bitwise_or.reduce(vectors << shifts, axis=2)


def _unpack_bits(qh: Bytes) -> Bytes:
    """uint32 of 32 bits [..., 4] to [..., 32]."""
    return np.unpackbits(np.ascontiguousarray(qh), axis=-1, bitorder="little")


def _q4_0(raw: Bytes) -> Bytes:
    return np.concatenate([_side_by_side(raw[..., :2]), _nibbles(raw[..., 2:])], axis=-1)


def _q4_1(raw: Bytes) -> Bytes:
    return np.concatenate([_side_by_side(raw[..., :4]), _nibbles(raw[..., 4:])], axis=-1)


def _q5_0(raw: Bytes) -> Bytes:
    bits = _fifth_bits(_unpack_bits(raw[..., 2:6]))
    return np.concatenate([_side_by_side(raw[..., :2]), _nibbles(raw[..., 6:]), bits], axis=-1)


def _q5_1(raw: Bytes) -> Bytes:
    bits = _fifth_bits(_unpack_bits(raw[..., 4:8]))
    return np.concatenate([_side_by_side(raw[..., :4]), _nibbles(raw[..., 8:]), bits], axis=-1)


def _q8_0(raw: Bytes) -> Bytes:
    g, _, b, _ = raw.shape
    return np.concatenate(
        [_side_by_side(raw[..., :2]), _interleave(raw[..., 2:]).reshape(g, b, 512)], axis=-1
    )


def _k_scales(scales: Bytes) -> tuple[Bytes, Bytes]:
    """The 6-bit scales and minima of 8 blocks [..., 12] as bytes [..., 8] each."""
    low, middle, high = scales[..., 0:4], scales[..., 4:8], scales[..., 8:12]
    d = np.concatenate([low & 63, (high & 15) | ((low >> 6) << 4)], axis=-1)
    m = np.concatenate([middle & 63, (high >> 4) | ((middle >> 6) << 4)], axis=-1)
    return d, m


def _k_superblocks(raw: Bytes, body: Bytes) -> Bytes:
    """Q4_K and Q5_K: scales of scales and of minima, minima, and then in halves the scales and what comes
    with each block, `body` [G, B, 8, bytes].

    The scale of minima is negated, so that the kernel only adds. The minima are 2 vectors of 4 a row, as
    integers are.
    """
    head = raw[..., :4].copy()
    head[..., 3] ^= 0x80
    d, m = _k_scales(raw[..., 4:16])
    g, _, b, _ = raw.shape
    halves = [_scales(d).reshape(g, b, 2, 64), body.reshape(g, b, 2, -1)]
    behind = np.concatenate(halves, axis=-1).reshape(g, b, -1)
    return np.concatenate([_side_by_side(head), _interleave(m).reshape(g, b, 128), behind], axis=-1)


def _k_integers(qs: Bytes) -> Bytes:
    """Nibbles of 256 columns [..., 128] (32 low, then 32 high, of every 32 bytes) as [..., 8, 32]."""
    pairs = qs.reshape(*qs.shape[:-1], 4, 1, 32)
    return np.concatenate([pairs & 15, pairs >> 4], axis=-2).reshape(*qs.shape[:-1], 8, 32)


def _pair_nibbles(q: Bytes) -> Bytes:
    """Integers 0 to 15 [..., 32] as bytes [..., 16]: columns 0 to 15 low, 16 to 31 high."""
    return q[..., :16] | (q[..., 16:] << np.uint8(4))


def _blockwise(values: Bytes, pack: Callable[[Bytes], Bytes]) -> Bytes:
    """Apply `pack` to each of the 8 blocks of [G, 16, B, 8, n]: [G, B, 8, bytes]."""
    g, rows, b, _, n = values.shape
    return pack(values.reshape(g, rows, b * 8, n)).reshape(g, b, 8, -1)


def _q4_k(raw: Bytes) -> Bytes:
    return _k_superblocks(raw, _blockwise(_pair_nibbles(_k_integers(raw[..., 16:])), _nibbles))


def _q5_k(raw: Bytes) -> Bytes:
    nibbles = _blockwise(_pair_nibbles(_k_integers(raw[..., 48:])), _nibbles)
    blocks = np.arange(8, dtype=np.uint8)[:, None]
    bits = _blockwise((raw[..., None, 16:48] >> blocks) & np.uint8(1), _fifth_bits)
    return _k_superblocks(raw, np.concatenate([nibbles, bits], axis=-1))


def _upper_bits(q: Bytes) -> Bytes:
    """Two upper bits of 32 columns [G, 16, B, 32] to 128 bytes: columns 0 to 15 in the first 64, and there
    bits 2 j and 2 j + 1 belong to vector j.
    """
    g, _, b, _ = q.shape
    vectors = _interleave(q).reshape(g, b, 2, 4, 64)
    shifts = (2 * np.arange(4, dtype=np.uint8))[:, None]
    return np.bitwise_or.reduce(vectors << shifts, axis=3).reshape(g, b, 128)


def _q6_k(raw: Bytes) -> Bytes:
    ql, qh = (
        raw[..., :128].reshape(*raw.shape[:-1], 2, 2, 32),
        raw[..., 128:192].reshape(*raw.shape[:-1], 2, 32),
    )
    low = np.concatenate([ql & 15, ql >> 4], axis=-2).reshape(*raw.shape[:-1], 8, 32)
    shifts = (2 * np.arange(4, dtype=np.uint8))[:, None]
    high = ((qh[..., None, :] >> shifts) & np.uint8(3)).reshape(*raw.shape[:-1], 8, 32)
    g, _, b, _ = raw.shape
    scales = _scales(raw[..., 192:208]).reshape(g, b, 8, 32)
    parts = [scales, _blockwise(_pair_nibbles(low), _nibbles), _blockwise(high, _upper_bits)]
    body = np.concatenate(parts, axis=-1).reshape(g, b, -1)
    return np.concatenate([_side_by_side(raw[..., 208:210]), body], axis=-1)


def _floats(itemsize: int) -> Packing:
    def pack(raw: Bytes) -> Bytes:
        return raw.transpose(0, 2, 1, 3).reshape(raw.shape[0], raw.shape[2], LANES * itemsize)

    return Packing(1, LANES * itemsize, pack)


PACKINGS: dict[GGMLType, Packing] = {
    GGMLType.F32: _floats(4),
    GGMLType.F16: _floats(2),
    GGMLType.BF16: _floats(2),
    GGMLType.Q4_0: Packing(32, 288, _q4_0),
    GGMLType.Q4_1: Packing(32, 320, _q4_1),
    GGMLType.Q5_0: Packing(32, 352, _q5_0),
    GGMLType.Q5_1: Packing(32, 384, _q5_1),
    GGMLType.Q8_0: Packing(32, 544, _q8_0),
    GGMLType.Q4_K: Packing(256, 2368, _q4_k),
    GGMLType.Q5_K: Packing(256, 2880, _q5_k),
    GGMLType.Q6_K: Packing(256, 3360, _q6_k),
}

CHUNK_BYTES = 1 << 20
"""Raw bytes packed at a time: the copies made on the way stay in the cache."""


def _chunks(n_groups: int, bytes_per_group: int) -> Iterator[tuple[int, int]]:
    step = max(1, CHUNK_BYTES // bytes_per_group)
    for start in range(0, n_groups, step):
        yield start, min(n_groups, start + step)


def pack_rows(raw: Bytes, type: GGMLType, out: Bytes) -> None:
    """Pack rows into `out`.

    Args:
        raw: uint8 [N, row bytes] as in the file.
        type: their type.
        out: uint8 [ceil(N / 16), blocks, group_bytes], overwritten.
    """
    packing = PACKINGS[type]
    n_groups, n_blocks, _ = out.shape
    block_bytes = raw.shape[1] // n_blocks
    for start, stop in _chunks(n_groups, LANES * raw.shape[1]):
        rows = raw[start * LANES : stop * LANES]
        missing = (stop - start) * LANES - len(rows)
        if missing:
            rows = np.concatenate([rows, np.zeros((missing, raw.shape[1]), np.uint8)])
        out[start:stop] = packing.pack(
            np.ascontiguousarray(rows).reshape(stop - start, LANES, n_blocks, block_bytes)
        )
