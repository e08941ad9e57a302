"""One tensor of a GGUF file."""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from rushlight.gguf.types import GGMLType


@dataclass(frozen=True, eq=False)
class GGUFTensor:
    """A tensor's name, shape and type, with its bytes as a view of the mapped file.

    Attributes:
        name: the GGUF name, e.g. ``blk.0.attn_q.weight``.
        shape: sizes in NumPy order, outermost first (GGUF stores them innermost first).
        type: how the values are stored.
        raw: uint8 [*shape[:-1], row bytes], read-only; the rows of a matrix are the rows of `raw`.
        scales: by what the products of a matrix are multiplied, or those of each expert; empty if by nothing.
    """

    name: str
    shape: tuple[int, ...]
    type: GGMLType
    raw: npt.NDArray[np.uint8] = field(repr=False)
    scales: tuple[float, ...] = ()

    @property
    def n_elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Number of stored bytes."""
        return self.raw.nbytes

    @property
    def address(self) -> int:
        """Where the bytes begin in memory."""
        return int(self.raw.ctypes.data)

    def in_shape(self, shape: tuple[int, ...]) -> GGUFTensor | None:
        """The tensor as one of this shape, which may have more or fewer outer dimensions of 1.

        Returns:
            None if the shapes differ in anything else.
        """
        if self.shape == shape:
            return self
        if _without_outer_ones(self.shape) != _without_outer_ones(shape):
            return None
        return replace(self, shape=shape, raw=self.raw.reshape(*shape[:-1], self.raw.shape[-1]))

    def release(self, first: int = 0, stop: int | None = None) -> None:
        """Tell the system that bytes have been used: it may drop their pages and read them again.

        Args:
            first, stop: which rows of `raw`, by default all; those of the first dimension.
        """
        owner: object = self.raw
        while isinstance(owner, np.ndarray) and owner.base is not None:
            owner = owner.base
        mapping = owner.obj if isinstance(owner, memoryview) else owner
        if not isinstance(mapping, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
            return
        rows = self.raw[first:stop]
        begin = rows.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data
        start = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE  # a page shared with a neighbour stays
        if (length := (begin + rows.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE - start) > 0:
            mapping.madvise(mmap.MADV_DONTNEED, start, length)


def _without_outer_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    first = next((i for i, size in enumerate(shape) if size != 1), len(shape))
    return shape[first:]
