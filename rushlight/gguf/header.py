"""The header of one GGUF file: magic, version, metadata, and what it says about each tensor.

Source: the GGUF specification (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3.
"""

from __future__ import annotations

from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

from rushlight.errors import UnsupportedTensorType
from rushlight.gguf.cursor import MAX_ARRAY_LENGTH, Cursor
from rushlight.gguf.types import BLOCK_SIZES, GGMLType, ggml_type, row_bytes
from rushlight.gguf.values import MetadataType, ValueType

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
ALIGNMENT_KEY = "general.alignment"
MAX_KEY_BYTES = 65535
MAX_TENSOR_NAME_BYTES = 64
MAX_DIMS = 4

# The fewest bytes that one of each can take: an 8-byte length and a name of 1; then a type and a value of 1,
# or the number of dimensions and one of 8 bytes, a type and an offset.
_LEAST_ENTRY_BYTES = 8 + 1 + 4 + 1
_LEAST_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8

# By the number of dimensions: each of them, the type, the offset.
_PLACES = [Struct(f"<{n}QIQ") for n in range(MAX_DIMS + 1)]


class TensorInfo(NamedTuple):
    """Where a tensor lies: `shape` in NumPy order, `offset` in bytes from the start of the data section."""

    name: str
    shape: tuple[int, ...]
    type: GGMLType
    offset: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, the innermost dimension."""
        return row_bytes(self.type, self.shape[-1])

    @property
    def n_bytes(self) -> int:
        """Bytes of the whole tensor."""
        n = self.row_bytes
        for dim in self.shape[:-1]:
            n *= dim
        return n


class Header(NamedTuple):
    """Everything before the tensor data; `data_start` is the file offset at which that begins."""

    version: int
    alignment: int
    metadata: dict[str, Any]
    metadata_types: dict[str, MetadataType]
    tensors: list[TensorInfo]
    data_start: int


def read_header(data: memoryview, path: Path) -> Header:
    """Read and check the header of one file.

    Args:
        data: the whole file; tensor data is not touched.
        path: the file's name, for messages.

    Raises:
        InvalidFile: the bytes are not a well-formed GGUF header, or a tensor lies outside the file.
        UnsupportedTensorType: a tensor has a type that this version does not read.
    """
    cursor = Cursor(data, path)
    version = _read_version(cursor)
    n_tensors = cursor.count("tensors", _LEAST_TENSOR_BYTES)
    n_entries = cursor.count("metadata entries", _LEAST_ENTRY_BYTES)
    metadata, types = _read_metadata(cursor, n_entries)
    alignment = _alignment(cursor, metadata, types)
    tensors = [_read_tensor_info(cursor) for _ in range(n_tensors)]
    data_start = -(-cursor.position // alignment) * alignment
    _check_layout(cursor, tensors, alignment, len(data) - data_start)
    return Header(version, alignment, metadata, types, tensors, data_start)


def _read_version(cursor: Cursor) -> int:
    magic = bytes(cursor.take(4, "the magic number"))
    if magic != MAGIC:
        raise cursor.error(f"this is not a GGUF file: it begins with {magic!r}, expected {MAGIC!r}.")
    version = cursor.u32("the version")
    if version in VERSIONS:
        return version
    if version & 0xFFFF == 0 and version:
        raise cursor.error("this file is big-endian; only little-endian GGUF is read, convert it first.")
    raise cursor.error(f"GGUF version {version} is not supported; expected 2 or 3, convert the model again.")


def _read_metadata(cursor: Cursor, n: int) -> tuple[dict[str, Any], dict[str, MetadataType]]:
    metadata: dict[str, Any] = {}
    types: dict[str, MetadataType] = {}
    for i in range(n):
        key = cursor.name(f"metadata key {i} of {n}", MAX_KEY_BYTES)
        if key in metadata:
            raise cursor.error(f"metadata key {key!r} appears twice.")
        type = _read_value_type(cursor, f"the type of {key!r}")
        if type is ValueType.ARRAY:
            types[key], metadata[key] = _read_array(cursor, key)
        else:
            types[key] = MetadataType(type)
            is_string = type is ValueType.STRING
            metadata[key] = cursor.string(repr(key)) if is_string else cursor.number(type, repr(key))
    return metadata, types


def _read_value_type(cursor: Cursor, what: str) -> ValueType:
    number = cursor.u32(what)
    try:
        return ValueType(number)
    except ValueError:
        raise cursor.error(f"{what} is {number}; expected 0 to {max(ValueType)}.") from None


def _read_array(cursor: Cursor, key: str) -> tuple[MetadataType, Any]:
    items = _read_value_type(cursor, f"the element type of {key!r}")
    n = cursor.u64(f"the length of {key!r}")
    if n > MAX_ARRAY_LENGTH:
        raise cursor.error(f"the array {key!r} promises {n} elements; expected at most {MAX_ARRAY_LENGTH}.")
    type = MetadataType(ValueType.ARRAY, items)
    if items is ValueType.ARRAY:
        raise cursor.error(f"the array {key!r} holds arrays; expected numbers, bools or strings.")
    if items is ValueType.STRING:
        return type, cursor.strings(n, repr(key))
    return type, cursor.numbers(items, n, repr(key))


def _alignment(cursor: Cursor, metadata: dict[str, Any], types: dict[str, MetadataType]) -> int:
    if ALIGNMENT_KEY not in metadata:
        return DEFAULT_ALIGNMENT
    value = metadata[ALIGNMENT_KEY]
    if types[ALIGNMENT_KEY] != MetadataType(ValueType.UINT32):
        raise cursor.error(f"{ALIGNMENT_KEY} has the type {types[ALIGNMENT_KEY]}; expected UINT32.")
    if not is_alignment(value):
        raise cursor.error(f"{ALIGNMENT_KEY} is {value}; expected a power of two that is a multiple of 8.")
    return int(value)


def is_alignment(value: int) -> bool:
    """Whether GGUF allows `value` as an alignment: a power of two and a multiple of 8."""
    return value >= 8 and value & (value - 1) == 0


def _read_tensor_info(cursor: Cursor) -> TensorInfo:
    name = cursor.name("a tensor's name", MAX_TENSOR_NAME_BYTES)
    what = f"tensor {name!r}"
    n_dims = cursor.u32(f"the number of dimensions of {what}")
    if not 1 <= n_dims <= MAX_DIMS:
        raise cursor.error(f"{what} has {n_dims} dimensions; expected 1 to {MAX_DIMS}.")
    *dims, number, offset = cursor.unpack(_PLACES[n_dims], f"the shape, type and offset of {what}")
    shape = tuple(reversed(dims))
    if not all(shape):
        raise cursor.error(f"{what} has the shape {shape}; expected every dimension above 0.")
    try:
        type = ggml_type(number)
    except UnsupportedTensorType as error:
        raise UnsupportedTensorType(f"{cursor.error(what)}: {error}") from None
    block = BLOCK_SIZES[type]
    if shape[-1] % block.values:
        raise cursor.error(
            f"{what} has rows of {shape[-1]} values; expected a multiple of {block.values} for {type.name}."
        )
    return TensorInfo(name, shape, type, offset)


def _check_layout(cursor: Cursor, tensors: list[TensorInfo], alignment: int, data_bytes: int) -> None:
    """Check that names are unique and that the tensors are aligned, inside the file and apart."""
    names: set[str] = set()
    previous, end = "", 0
    for info in sorted(tensors, key=lambda info: info.offset):
        what = f"tensor {info.name!r}"
        if info.name in names:
            raise cursor.error(f"{what} appears twice.")
        if info.offset % alignment:
            raise cursor.error(f"{what} begins at offset {info.offset}; expected a multiple of {alignment}.")
        if info.offset < end:
            raise cursor.error(f"{what} overlaps tensor {previous!r}.")
        names.add(info.name)
        previous, end = info.name, info.offset + info.n_bytes
        if end > data_bytes:
            raise cursor.error(
                f"{what} needs bytes {info.offset} to {end} of the tensor data, but the file has "
                f"{max(data_bytes, 0)}; it is truncated or damaged, download it again."
            )
