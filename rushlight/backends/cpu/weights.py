"""Weights that the cpu backend has taken over."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.memory import Region, align
from rushlight.backends.tensors import Float32Array
from rushlight.gguf import GGMLType, GGUFTensor


class PackedPart(NamedTuple):
    """Rows of one type in the kernels' layout.

    Attributes:
        type: tensor type, which names the kernel.
        n_rows: rows, before padding to whole groups of 16.
        n_columns: columns.
        n_groups: groups of 16 rows.
        n_blocks: packed blocks in a group (columns, for floating-point types).
        region: the memory.
        scale: by what products are multiplied.
    """

    type: GGMLType
    n_rows: int
    n_columns: int
    n_groups: int
    n_blocks: int
    region: Region
    scale: float = 1.0


class Matrix(NamedTuple):
    """A matrix for `linear`: parts that are stacked along the rows."""

    parts: tuple[PackedPart, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, K)."""
        return (sum(part.n_rows for part in self.parts), self.parts[0].n_columns)


class ExpertMatrices(NamedTuple):
    """The matrices of all experts, one behind the other in the kernels' layout.

    Attributes:
        type: tensor type, which names the kernel.
        shape: (X, N, K).
        n_groups: groups of 16 rows of an expert.
        n_blocks: packed blocks in a group (columns, for floating-point types).
        region: the memory.
        scales: by what the products of each expert are multiplied, if they are.
    """

    type: GGMLType
    shape: tuple[int, ...]
    n_groups: int
    n_blocks: int
    region: Region
    scales: Vector | None = None


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

    @property
    def values(self) -> Float32Array:
        """The numbers."""
        return self.region.bytes.view(np.float32)[: self.shape[0]]


class Table:
    """An embedding table, read row by row from the file, by address; `tensor` keeps it mapped.

    Raises:
        ValueError: its bytes are not rows of whole blocks, one behind the other.
    """

    def __init__(self, tensor: GGUFTensor) -> None:
        layout = LAYOUTS[tensor.type.name.lower()]
        n_rows, n_columns = tensor.shape
        self.row_bytes = n_columns // layout.columns * layout.block_bytes
        if tensor.raw.shape != (n_rows, self.row_bytes) or not tensor.raw.flags.c_contiguous:
            raise ValueError(
                f"{tensor.name}: {n_rows} rows of {self.row_bytes} bytes expected, not {tensor.raw.shape}"
            )
        self.tensor = tensor
        self.shape: tuple[int, ...] = tensor.shape

    @property
    def address(self) -> int:
        """Where the first row is."""
        return self.tensor.address
