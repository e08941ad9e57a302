"""GGUF files: reader, strict metadata accounting, writer."""

from __future__ import annotations

from rushlight.gguf.reader import GGUFFile, open_gguf
from rushlight.gguf.strings import StringArray
from rushlight.gguf.tensor import GGUFTensor
from rushlight.gguf.types import GGMLType
from rushlight.gguf.values import MetadataType, ValueType

__all__ = ["GGMLType", "GGUFFile", "GGUFTensor", "MetadataType", "StringArray", "ValueType", "open_gguf"]
