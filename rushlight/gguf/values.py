"""Metadata value types: the numbers GGUF stores for them, and their encodings.

Source: the GGUF specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

_LONGEST = 80  # characters of a value in a message


def shown(value: Any) -> str:
    """A metadata value in a message: on one line, an array by its size, and of a long text the beginning."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.size} {value.dtype.name}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"an array of {len(value)} str"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


class ValueType(IntEnum):
    """Types of a metadata value, with GGUF's numbers."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


class MetadataType(NamedTuple):
    """The type of one metadata entry; `items` is the element type of an array and None otherwise."""

    value: ValueType
    items: ValueType | None = None

    def __str__(self) -> str:
        return self.value.name if self.items is None else f"{self.value.name}[{self.items.name}]"


# Every type of a fixed size. A bool is one byte, 0 or 1.
NUMBER_DTYPES: dict[ValueType, np.dtype[Any]] = {
    ValueType.UINT8: np.dtype("u1"),
    ValueType.INT8: np.dtype("i1"),
    ValueType.UINT16: np.dtype("<u2"),
    ValueType.INT16: np.dtype("<i2"),
    ValueType.UINT32: np.dtype("<u4"),
    ValueType.INT32: np.dtype("<i4"),
    ValueType.FLOAT32: np.dtype("<f4"),
    ValueType.BOOL: np.dtype("?"),
    ValueType.UINT64: np.dtype("<u8"),
    ValueType.INT64: np.dtype("<i8"),
    ValueType.FLOAT64: np.dtype("<f8"),
}
