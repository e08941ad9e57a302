"""Tensor types: the numbers GGUF stores for them and the sizes of their blocks.

Source: ``ggml_type`` and ``type_traits`` in ggml (https://github.com/ggml-org/ggml).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from rushlight.errors import UnsupportedTensorType


class GGMLType(IntEnum):
    """Tensor types that this version reads, with ggml's numbers."""

    F32 = 0
    F16 = 1
    Q4_0 = 2
    Q4_1 = 3
    Q5_0 = 6
    Q5_1 = 7
    Q8_0 = 8
    Q2_K = 10
    Q3_K = 11
    Q4_K = 12
    Q5_K = 13
    Q6_K = 14
    Q8_K = 15
    IQ2_XXS = 16
    IQ2_XS = 17
    IQ3_XXS = 18
    IQ1_S = 19
    IQ4_NL = 20
    IQ3_S = 21
    IQ2_S = 22
    IQ4_XS = 23
    IQ1_M = 29
    BF16 = 30
    TQ1_0 = 34
    TQ2_0 = 35
    MXFP4 = 39
    NVFP4 = 40
    Q1_0 = 41
    Q2_0 = 42


class BlockSize(NamedTuple):
    """A block: how many values it holds, in how many bytes."""

    values: int
    bytes: int


BLOCK_SIZES: dict[GGMLType, BlockSize] = {
    GGMLType.F32: BlockSize(1, 4),
    GGMLType.F16: BlockSize(1, 2),
    GGMLType.BF16: BlockSize(1, 2),
    GGMLType.Q4_0: BlockSize(32, 18),
    GGMLType.Q4_1: BlockSize(32, 20),
    GGMLType.Q5_0: BlockSize(32, 22),
    GGMLType.Q5_1: BlockSize(32, 24),
    GGMLType.Q8_0: BlockSize(32, 34),
    GGMLType.Q4_K: BlockSize(256, 144),
    GGMLType.Q5_K: BlockSize(256, 176),
    GGMLType.Q6_K: BlockSize(256, 210),
    GGMLType.Q2_K: BlockSize(256, 84),
    GGMLType.Q3_K: BlockSize(256, 110),
    GGMLType.Q8_K: BlockSize(256, 292),
    GGMLType.IQ1_S: BlockSize(256, 50),
    GGMLType.IQ1_M: BlockSize(256, 56),
    GGMLType.IQ2_XXS: BlockSize(256, 66),
    GGMLType.IQ2_XS: BlockSize(256, 74),
    GGMLType.IQ2_S: BlockSize(256, 82),
    GGMLType.IQ3_XXS: BlockSize(256, 98),
    GGMLType.IQ3_S: BlockSize(256, 110),
    GGMLType.IQ4_NL: BlockSize(32, 18),
    GGMLType.IQ4_XS: BlockSize(256, 136),
    GGMLType.TQ1_0: BlockSize(256, 54),
    GGMLType.TQ2_0: BlockSize(256, 66),
    GGMLType.MXFP4: BlockSize(32, 17),
    GGMLType.NVFP4: BlockSize(64, 36),
    GGMLType.Q1_0: BlockSize(128, 18),
    GGMLType.Q2_0: BlockSize(64, 18),
}

# Types of ggml that this version does not read: known by name, so that the error can say which.
UNSUPPORTED_TYPE_NAMES: dict[int, str] = {
    9: "Q8_1", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
}  # fmt: skip


def ggml_type(value: int | str) -> GGMLType:
    """Return the tensor type of a number or a name (``12``, ``"Q4_K"``).

    Raises:
        UnsupportedTensorType: it is none of `GGMLType`.
    """
    try:
        return GGMLType[value.upper()] if isinstance(value, str) else GGMLType(value)
    except (KeyError, ValueError):
        name = value if isinstance(value, str) else UNSUPPORTED_TYPE_NAMES.get(value, f"number {value}")
        supported = ", ".join(t.name for t in GGMLType)
        raise UnsupportedTensorType(
            f"Tensor type {name} is not supported; supported are {supported}."
        ) from None


def row_bytes(type: GGMLType, n: int) -> int:
    """Bytes of a row of `n` values, `n` a multiple of the type's block."""
    block = BLOCK_SIZES[type]
    if n % block.values:
        raise UnsupportedTensorType(
            f"A row of {n} values is no whole number of {type.name} blocks of {block.values}."
        )
    return n // block.values * block.bytes
