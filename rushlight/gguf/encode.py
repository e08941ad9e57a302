"""Encode metadata values as GGUF stores them.

Source: the GGUF specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.errors import InvalidParameter
from rushlight.gguf.strings import StringArray
from rushlight.gguf.values import NUMBER_DTYPES, MetadataType, ValueType

_TYPE_OF_DTYPE = {dtype.newbyteorder("="): type for type, dtype in NUMBER_DTYPES.items()}


def infer_type(key: str, value: Any) -> MetadataType:
    """The type to store `value` under when none is given.

    NumPy scalars and arrays keep their own type, which makes ``np.uint64(5)`` the way to ask for one. Of
    Python's own, bool is BOOL, float is FLOAT32, str and bytes are STRING, and int is the first of UINT32,
    INT32, UINT64 and INT64 that holds it. A list or tuple is an array of the type that holds all of its
    elements.

    Raises:
        InvalidParameter: no type holds it; `key` is named.
    """
    if isinstance(value, StringArray):
        return MetadataType(ValueType.ARRAY, ValueType.STRING)
    if isinstance(value, (str, bytes)):
        return MetadataType(ValueType.STRING)
    if isinstance(value, (np.generic, np.ndarray)) and value.dtype.newbyteorder("=") in _TYPE_OF_DTYPE:
        type = _TYPE_OF_DTYPE[value.dtype.newbyteorder("=")]
        return MetadataType(type) if value.ndim == 0 else MetadataType(ValueType.ARRAY, type)
    if isinstance(value, (list, tuple)):
        return MetadataType(ValueType.ARRAY, _element_type(key, value))
    return MetadataType(_element_type(key, [value]))


def encode_value(key: str, value: Any, type: MetadataType) -> bytes:
    """The type number and the bytes of one metadata value.

    Raises:
        InvalidParameter: `value` cannot be stored as `type`; `key` is named.
    """
    if type.items is None:
        return struct.pack("<I", type.value) + _encode_elements(key, [value], type.value)
    is_row = isinstance(value, (list, tuple, StringArray))
    if not is_row and not (isinstance(value, np.ndarray) and value.ndim == 1):
        raise InvalidParameter(f"Metadata {key!r} is {value!r}; expected a one-dimensional array.")
    header = struct.pack("<IIQ", ValueType.ARRAY, type.items, len(value))
    return header + _encode_elements(key, value, type.items)


def encode_string(value: str | bytes) -> bytes:
    """An 8-byte length and the bytes; lone surrogates stand for bytes that are not UTF-8."""
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
    return struct.pack("<Q", len(data)) + data


def _element_type(key: str, values: Sequence[Any]) -> ValueType:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return ValueType.BOOL
    if kinds and kinds <= {str, bytes}:
        return ValueType.STRING
    if kinds == {int}:
        low, high = min(values), max(values)
        for candidate in (ValueType.UINT32, ValueType.INT32, ValueType.UINT64, ValueType.INT64):
            limits = np.iinfo(NUMBER_DTYPES[candidate])
            if limits.min <= low and high <= limits.max:
                return candidate
    if float in kinds and kinds <= {int, float}:
        return ValueType.FLOAT32
    raise InvalidParameter(
        f"Metadata {key!r} has a value without a GGUF type of its own; expected bools, numbers or strings of "
        "one kind, or an explicit type."
    )


def _encode_elements(key: str, values: Any, type: ValueType) -> bytes:
    if type is ValueType.STRING:
        if isinstance(values, StringArray):
            return values.encoded
        if all(isinstance(value, (str, bytes)) for value in values):
            return b"".join(encode_string(value) for value in values)
    elif type in NUMBER_DTYPES and not isinstance(values, StringArray):
        return _encode_numbers(key, values, type)
    raise InvalidParameter(f"Metadata {key!r} cannot be stored as {type.name}.")


def _encode_numbers(key: str, values: Any, type: ValueType) -> bytes:
    """Bytes of `values`: integers and bools exactly, floats rounded to the type but never to infinity."""
    dtype = NUMBER_DTYPES[type]
    if len(values) == 0:
        return b""
    try:
        given = np.asarray(values)
        with np.errstate(all="ignore"):
            stored = given.astype(dtype)
        if dtype.kind == "f":
            fits = given.dtype.kind in "iuf" and bool((np.isfinite(stored) == np.isfinite(given)).all())
        else:
            fits = (given.dtype.kind == "b") is (dtype.kind == "b") and bool((stored == given).all())
    except (ValueError, TypeError, OverflowError):
        fits = False
    if not fits or given.dtype.kind not in "biuf":
        raise InvalidParameter(f"Metadata {key!r} is {values!r}, which cannot be stored as {type.name}.")
    return stored.tobytes()
