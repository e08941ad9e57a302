"""Weights that the cpu backend has taken over."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rushlight.backends.base import Float32Array
from rushlight.backends.cpu.memory import Region, align
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.quants import dequantize


class PackedPart(NamedTuple):
    """Rows of one type in the kernels' layout.

    Attributes:
        type: tensor type, which names the kernel.
        n_rows: rows, before padding to whole groups of 16.
        n_columns: columns.
        n_groups: groups of 16 rows.
        n_blocks: packed blocks in a group (columns, for floating-point types).
        region: the memory.
    """

    type: GGMLType
    n_rows: int
    n_columns: int
    n_groups: int
    n_blocks: int
    region: Region


class Matrix(NamedTuple):
    """A matrix for `linear`: parts that are stacked along the rows."""

    parts: tuple[PackedPart, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, K)."""
        return (sum(part.n_rows for part in self.parts), self.parts[0].n_columns)


class Vector:
    """Norm weights or a bias: float32, zero-padded so that 16 may be read from each of its numbers on."""

    def __init__(self, values: Float32Array) -> None:
        self.shape: tuple[int, ...] = values.shape
        self.region = Region(align(4 * (values.size + 15)), "a vector of weights")
        self.region.bytes.view(np.float32)[: values.size] = values

    @property
    def address(self) -> int:
        """Where the first number is."""
        return self.region.address


class Table(NamedTuple):
    """An embedding table, read row by row from the file."""

    tensor: GGUFTensor

    @property
    def shape(self) -> tuple[int, ...]:
        """(V, E)."""
        return self.tensor.shape

    def rows(self, ids: np.ndarray[tuple[int], np.dtype[np.int32]]) -> Float32Array:
        """The rows of `ids`, dequantized: float32 [T, E]."""
        return dequantize(self.tensor.raw[ids], self.tensor.type)
