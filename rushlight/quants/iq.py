"""IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S: 256 values as places in codebooks.

A place stands for the magnitudes of 8 neighbouring values (IQ3: of 4), and signs are kept apart: a byte for 8
values, or 7 bits of it where the number of minus signs is even.

- IQ2_XXS, in 8 groups of 32: a word of 4 places; a word of 4 times 7 signs and 4 bits of scale.
- IQ2_XS: 16 bits for each 8 values, 9 of place and 7 of signs; 4 bits of scale for each 16.
- IQ2_S: 8 bits of place, 8 of signs, 2 upper bits of place in `qh`; 4 bits of scale for each 16.
- IQ3_XXS: 8 bits of place for each 4 values; for each 32 a word as in IQ2_XXS.
- IQ3_S: 8 bits of place, a ninth in `qh`, 8 signs for 8 values; 4 bits of scale for each 32.
- IQ1_S, levels -1 to 1: 8 bits of place; for each 32 a word of 4 times 3 upper bits, 3 bits of scale and the
  sign of an eighth that is added to every level.
- IQ1_M: 8 bits of place; in `qh` four bits for each 8 values: 3 upper bits and that sign; in `scales` 3 bits
  for each 16, and in the top four bits of its words, lowest first, `d`.

Source: ``ggml-quants.c`` in ggml; dequantization is, bit for bit, that of gguf-py's ``quants.py``.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rushlight.quants.blocks import QK_K, Blocks, Bytes, Floats
from rushlight.quants.codebooks import CODEBOOKS

_Integers: TypeAlias = npt.NDArray[Any]
_SEVENS, _TRIPLES = np.arange(0, 28, 7, dtype=np.uint32), np.arange(0, 12, 3, dtype=np.uint16)
_PAIRS, _HALVES = np.arange(0, 8, 2, dtype=np.uint8), np.array([0, 4], np.uint8)


@cache
def _codebook(name: str) -> Floats:
    """float32 [entries, columns]."""
    return CODEBOOKS[name].values().astype(np.float32)


def even_signs(signs: _Integers) -> _Integers:
    """Seven signs and an eighth that makes the number of set bits even."""
    odd = np.bitwise_xor.reduce((signs[..., None] >> np.arange(7, dtype=signs.dtype)) & 1, axis=-1)
    eight: _Integers = signs | (odd << 7)
    return eight.astype(np.uint8)


def _signed(db: Floats, magnitudes: Floats, signs: _Integers) -> Floats:
    """Scales [N, g], magnitudes [N, n, columns] and signs [N, 32] to values [N, 256]."""
    bits = np.unpackbits(signs.astype(np.uint8)[..., None], axis=-1, bitorder="little")
    factors = np.where(bits == 0, np.float32(1), np.float32(-1)).reshape(len(db), db.shape[1], -1)
    values: Floats = db[:, :, None] * magnitudes.reshape(factors.shape) * factors
    return values.reshape(-1, QK_K)


def _d(blocks: Blocks) -> Floats:
    d: Floats = blocks["d"].astype(np.float32)[:, None]
    return d


def _scale_halves(scales: Bytes) -> Bytes:
    """Bytes [N, n] to their halves [N, 2 n], the low one first."""
    halves: Bytes = (scales[:, :, None] >> _HALVES) & np.uint8(15)
    return halves.reshape(len(scales), -1)


def dequantize_iq2_xxs(blocks: Blocks) -> Floats:
    """[N] IQ2_XXS to float32 [N, 256]."""
    words = blocks["qs"].reshape(-1, 8, 2)
    places, other = np.ascontiguousarray(words[:, :, 0]).view(np.uint8), words[:, :, 1]
    db = _d(blocks) * (np.float32(0.5) + (other >> np.uint32(28)).astype(np.float32)) * np.float32(0.25)
    signs = even_signs((other[:, :, None] >> _SEVENS) & np.uint32(127))
    return _signed(db, _codebook("IQ2_XXS")[places], signs)


def dequantize_iq2_xs(blocks: Blocks) -> Floats:
    """[N] IQ2_XS to float32 [N, 256]."""
    qs = blocks["qs"]
    scales = _scale_halves(blocks["scales"]).astype(np.float32)
    db = _d(blocks) * (np.float32(0.5) + scales) * np.float32(0.25)
    return _signed(db, _codebook("IQ2_XS")[qs & np.uint16(511)], even_signs(qs >> np.uint16(9)))


def dequantize_iq2_s(blocks: Blocks) -> Floats:
    """[N] IQ2_S to float32 [N, 256]."""
    scales = _scale_halves(blocks["scales"]).astype(np.float32)
    db = _d(blocks) * (np.float32(0.5) + scales) * np.float32(0.25)
    upper = ((blocks["qh"][:, :, None] >> _PAIRS) & np.uint8(3)).reshape(-1, 32)
    places = blocks["qs"].astype(np.uint16) | (upper.astype(np.uint16) << np.uint16(8))
    return _signed(db, _codebook("IQ2_S")[places], blocks["signs"])


def dequantize_iq3_xxs(blocks: Blocks) -> Floats:
    """[N] IQ3_XXS to float32 [N, 256]."""
    other = blocks["scales"]
    db = _d(blocks) * (np.float32(0.5) + (other >> np.uint32(28)).astype(np.float32)) * np.float32(0.5)
    signs = even_signs((other[:, :, None] >> _SEVENS) & np.uint32(127))
    return _signed(db, _codebook("IQ3_XXS")[blocks["qs"]], signs)


def dequantize_iq3_s(blocks: Blocks) -> Floats:
    """[N] IQ3_S to float32 [N, 256]."""
    scales = _scale_halves(blocks["scales"])
    db = _d(blocks) * (np.uint8(1) + np.uint8(2) * scales).astype(np.float32)
    ninth = np.unpackbits(blocks["qh"], axis=1, bitorder="little").astype(np.uint16)
    places = blocks["qs"].astype(np.uint16) | (ninth << np.uint16(8))
    return _signed(db, _codebook("IQ3_S")[places], blocks["signs"])


def dequantize_iq1_s(blocks: Blocks) -> Floats:
    """[N] IQ1_S to float32 [N, 256]."""
    qh = blocks["qh"]
    dl = _d(blocks) * (np.uint16(2) * ((qh >> np.uint16(12)) & np.uint16(7)) + np.uint16(1)).astype(
        np.float32
    )
    upper = ((qh[:, :, None] >> _TRIPLES) & np.uint16(7)).reshape(-1, 32)
    return _shifted(dl, blocks["qs"], upper, np.repeat(qh >> np.uint16(15), 4, axis=1))


def dequantize_iq1_m(blocks: Blocks) -> Floats:
    """[N] IQ1_M to float32 [N, 256]."""
    words = blocks["scales"]
    tops = (words >> np.uint16(12)) << np.arange(0, 16, 4, dtype=np.uint16)
    d = np.bitwise_or.reduce(tops, axis=1).astype("<u2").view("<f2").astype(np.float32)[:, None]
    scales = ((words[:, :, None] >> _TRIPLES) & np.uint16(7)).reshape(-1, 16)
    dl = d * (np.uint16(2) * scales + np.uint16(1)).astype(np.float32)
    halves = _scale_halves(blocks["qh"])
    return _shifted(dl, blocks["qs"], halves & np.uint8(7), halves >> np.uint8(3))


def _shifted(dl: Floats, qs: Bytes, upper: _Integers, minus: _Integers) -> Floats:
    """Scales [N, g], and places and the sign of the eighth [N, 32], to values [N, 256]."""
    places = qs.astype(np.uint16) | (upper.astype(np.uint16) << np.uint16(8))
    delta = np.where(minus == 0, np.float32(0.125), np.float32(-0.125))
    levels = (_codebook("IQ1_S")[places] + delta[:, :, None]).reshape(len(dl), dl.shape[1], -1)
    values: Floats = dl[:, :, None] * levels
    return values.reshape(-1, QK_K)
