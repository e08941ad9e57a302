"""Write GGUF files (version 3, little-endian)."""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from rushlight.errors import InvalidParameter
from rushlight.gguf.encode import encode_string, encode_value, infer_type
from rushlight.gguf.header import (
    ALIGNMENT_KEY,
    DEFAULT_ALIGNMENT,
    MAGIC,
    MAX_DIMS,
    MAX_KEY_BYTES,
    is_alignment,
)
from rushlight.gguf.types import BLOCK_SIZES, GGMLType
from rushlight.gguf.values import MetadataType

# llama.cpp keeps a tensor's name in 64 bytes with the closing zero; it refuses to load a longer one.
MAX_WRITTEN_NAME_BYTES = 63


class TensorData(NamedTuple):
    """One tensor to write: `raw` are its stored bytes, row after row; `shape` is in NumPy order."""

    name: str
    type: GGMLType
    shape: tuple[int, ...]
    raw: bytes | npt.NDArray[Any]


def write_gguf(
    path: str | os.PathLike[str],
    metadata: Mapping[str, Any],
    tensors: Iterable[tuple[str, GGMLType, tuple[int, ...], bytes | npt.NDArray[Any]]] = (),
    alignment: int | None = None,
    types: Mapping[str, MetadataType] | None = None,
) -> None:
    """Write a GGUF file: first under another name, renamed when it is whole, so that no half file is seen.

    Args:
        path: where to write; an existing file is replaced.
        metadata: the entries, in order. Their types are those of `types`, else as `infer_type` says.
        tensors: `(name, type, shape, raw)` in order: shape in NumPy order, raw the stored bytes (`bytes`, or
            an array of any dtype whose memory they are), such as `quantize` returns and `GGUFTensor.raw` is.
        alignment: of the tensor data, in bytes; by default what the metadata says, else 32.
        types: types for some or all keys. `GGUFFile.metadata_types` writes a file's metadata as it was.

    Raises:
        InvalidParameter: a name, type, shape, alignment or value that a GGUF file cannot hold.
        OSError: the file cannot be written; `path` is then as it was.
    """
    entries, alignment = _with_alignment(dict(metadata), alignment)
    listed = [_checked(TensorData(*tensor)) for tensor in tensors]
    names = [tensor.name for tensor in listed]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidParameter(f"Tensor {twice!r} is given twice; expected different names.")
    header = _header(entries, types or {}, listed, alignment)
    path = Path(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("xb") as file:
            _write(file, header, listed, alignment)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _with_alignment(metadata: dict[str, Any], alignment: int | None) -> tuple[dict[str, Any], int]:
    """The entries and the alignment, each made to agree with the other."""
    stated = metadata.get(ALIGNMENT_KEY)
    if alignment is not None and stated is not None and stated != alignment:
        raise InvalidParameter(
            f"The metadata says {ALIGNMENT_KEY} is {stated}, but the alignment is {alignment}."
        )
    used = DEFAULT_ALIGNMENT if alignment is None and stated is None else int(stated or alignment or 0)
    if not is_alignment(used):
        raise InvalidParameter(f"The alignment is {used}; expected a power of two that is a multiple of 8.")
    if stated is not None or used != DEFAULT_ALIGNMENT:
        metadata[ALIGNMENT_KEY] = np.uint32(used)
    return metadata, used


def _checked(tensor: TensorData) -> TensorData:
    name, type, shape, raw = tensor
    _check_name("Tensor name", name, MAX_WRITTEN_NAME_BYTES)
    what = f"Tensor {name!r}"
    if not 1 <= len(shape) <= MAX_DIMS or any(dim <= 0 for dim in shape):
        raise InvalidParameter(f"{what} has the shape {shape}; expected 1 to {MAX_DIMS} dimensions above 0.")
    block = BLOCK_SIZES[GGMLType(type)]
    if shape[-1] % block.values:
        raise InvalidParameter(
            f"{what} has rows of {shape[-1]} values; expected a multiple of {block.values}."
        )
    n_bytes = _n_bytes(tensor)
    given = raw.nbytes if isinstance(raw, np.ndarray) else len(raw)
    if given != n_bytes:
        raise InvalidParameter(
            f"{what} has {given} bytes; expected {n_bytes} for {shape} of {GGMLType(type).name}."
        )
    return tensor


def _check_name(what: str, name: str, longest: int) -> None:
    try:
        n = len(name.encode())
    except UnicodeEncodeError:
        n = 0
    if not 1 <= n <= longest:
        raise InvalidParameter(
            f"{what} {name[:64]!r} cannot be stored; expected 1 to {longest} bytes of UTF-8."
        )


def _n_bytes(tensor: TensorData) -> int:
    block = BLOCK_SIZES[GGMLType(tensor.type)]
    n = block.bytes
    for dim in tensor.shape[:-1]:
        n *= int(dim)
    return n * (int(tensor.shape[-1]) // block.values)


def _header(
    metadata: Mapping[str, Any], types: Mapping[str, MetadataType], tensors: list[TensorData], alignment: int
) -> bytes:
    pieces = [MAGIC, struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    for key, value in metadata.items():
        _check_name("Metadata key", key, MAX_KEY_BYTES)
        type = types[key] if key in types else infer_type(key, value)
        pieces += [encode_string(key), encode_value(key, value, type)]
    offset = 0
    for tensor in tensors:
        dims = tensor.shape[::-1]
        pieces += [encode_string(tensor.name), struct.pack(f"<I{len(dims)}Q", len(dims), *dims)]
        pieces.append(struct.pack("<IQ", tensor.type, offset))
        offset += _padded(_n_bytes(tensor), alignment)
    return b"".join(pieces)


def _write(file: BinaryIO, header: bytes, tensors: list[TensorData], alignment: int) -> None:
    for data in (header, *(tensor.raw for tensor in tensors)):
        if isinstance(data, np.ndarray):
            file.write(np.ascontiguousarray(data).reshape(-1).view(np.uint8).data)
        else:
            file.write(data)
        file.write(bytes(-file.tell() % alignment))
    file.flush()
    os.fsync(file.fileno())


def _padded(n: int, alignment: int) -> int:
    return -(-n // alignment) * alignment
