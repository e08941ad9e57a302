"""One tensor of a GGUF file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

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
    """

    name: str
    shape: tuple[int, ...]
    type: GGMLType
    raw: npt.NDArray[np.uint8] = field(repr=False)

    @property
    def n_elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Number of stored bytes."""
        return self.raw.nbytes
