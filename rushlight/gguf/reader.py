"""Open a GGUF model: its metadata and its tensors, mapped into memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from rushlight.errors import InvalidParameter
from rushlight.gguf.part import Part
from rushlight.gguf.split import open_parts
from rushlight.gguf.tensor import GGUFTensor
from rushlight.gguf.values import MetadataType


class GGUFFile:
    """An open model of one file or several. Made by `open_gguf`; also a context manager that closes it.

    Attributes:
        path: the file that was named.
        paths: all files of the model, the first part first.
        version: 2 or 3.
        alignment: of the tensor data, in bytes.
        metadata: the first part's entries, in the file's order. Scalars are int, float, bool or str; arrays
            of numbers and bools are read-only NumPy arrays; arrays of strings are `StringArray`. They stay
            valid when the file is closed.
        metadata_types: the stored type of each entry, so that it can be written again as it was.
        n_bytes: size of all files.
    """

    def __init__(self, path: Path, parts: Sequence[Part]) -> None:
        first = parts[0].header
        self.path = path
        self.paths = tuple(part.path for part in parts)
        self.version = first.version
        self.alignment = first.alignment
        self.metadata: Mapping[str, Any] = MappingProxyType(first.metadata)
        self.metadata_types: Mapping[str, MetadataType] = MappingProxyType(first.metadata_types)
        self.n_bytes = sum(part.n_bytes for part in parts)
        tensors = {tensor.name: tensor for part in parts for tensor in part.tensors}
        self._tensors: Mapping[str, GGUFTensor] | None = MappingProxyType(tensors)

    @property
    def tensors(self) -> Mapping[str, GGUFTensor]:
        """The tensors by name, in the file's order. Raises InvalidParameter once the file is closed."""
        if self._tensors is None:
            raise InvalidParameter(f"{self.path} is closed; open it again to read its tensors.")
        return self._tensors

    def close(self) -> None:
        """Let go of the mapping. It is unmapped when the last tensor taken from this file is gone too."""
        self._tensors = None

    def __enter__(self) -> GGUFFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"GGUFFile({str(self.path)!r}, version={self.version}, n_bytes={self.n_bytes})"


def open_gguf(path: str | os.PathLike[str]) -> GGUFFile:
    """Open a GGUF model (version 2 or 3, little-endian), without reading its tensor data.

    A model split over several files opens through any one of them. The whole header is checked before
    anything is believed: counts, lengths, types, shapes, alignment, and that every tensor lies inside its
    file and on no other tensor.

    Raises:
        ModelNotFound: there is no such file, or a part of a split model is missing.
        InvalidFile: the file is damaged, truncated or no GGUF file; the message says where.
        UnsupportedTensorType: a tensor has a type that this version does not read; the message names both.
    """
    path = Path(path)
    return GGUFFile(path, open_parts(path))
