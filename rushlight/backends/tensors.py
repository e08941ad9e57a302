"""What ops take and give: activations, weights, tables of angles, and positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]


class Tensor(Protocol):
    """An activation: float32 [rows, n_columns]; the rows are known only to the backend."""

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        ...

    def columns(self, start: int, stop: int) -> Tensor:
        """A view of columns ``start`` to ``stop - 1``."""
        ...


class Weight(Protocol):
    """A weight that a backend has taken over, in whatever layout suits it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in NumPy order: (N, K) of a matrix, (X, N, K) of experts, (N,) of a vector."""
        ...


@dataclass(frozen=True)
class RopeTable:
    """Rotary position embedding: the angles of every position.

    Attributes:
        cos, sin: float32 [n_ctx, n_rot / 2], magnitude scaling included.
        interleaved: pairs are columns (2i, 2i + 1) of a head as in the llama architecture of GGUF; otherwise
            (i, i + n_rot / 2), called NeoX. Columns from n_rot on pass through unchanged.
    """

    cos: Float32Array
    sin: Float32Array
    interleaved: bool

    @property
    def n_rot(self) -> int:
        """Columns of each head that are rotated."""
        return 2 * self.cos.shape[1]


class Positions(Protocol):
    """The positions that each token of a step has chosen; only `Ops` look inside."""

    @property
    def n_top(self) -> int:
        """Most positions of a token, or of each of its key-value heads."""
        ...
