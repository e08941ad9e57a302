"""Weights of the reference backend: float32, or dequantized anew at each use where memory is short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rushlight.backends.tensors import Float32Array
from rushlight.gguf import GGUFTensor
from rushlight.quants import dequantize

_CHUNK_VALUES = 1 << 24  # values dequantized at once: 64 MiB of float32


@dataclass(frozen=True)
class VectorWeight:
    """A norm weight or bias: float32 [N]."""

    values: Float32Array

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,)."""
        return self.values.shape


@dataclass(frozen=True)
class TableWeight:
    """An embedding table [V, E], kept as the file has it; only the rows asked for are dequantized."""

    tensor: GGUFTensor

    @property
    def shape(self) -> tuple[int, ...]:
        """(V, E)."""
        return self.tensor.shape

    def rows(self, ids: npt.NDArray[np.int32]) -> Float32Array:
        """The rows of `ids`: float32 [len(ids), E]."""
        return dequantize(self.tensor.raw[ids], self.tensor.type)


@dataclass(frozen=True)
class MatrixWeight:
    """A matrix [N, K], several tensors one below the other.

    Attributes:
        tensors: the parts, each [its rows, K].
        keep: dequantize once, at first use; otherwise a chunk at a time at every use.
    """

    tensors: tuple[GGUFTensor, ...]
    keep: bool
    _kept: list[Float32Array] = field(default_factory=list, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, K)."""
        return sum(tensor.shape[0] for tensor in self.tensors), self.tensors[0].shape[1]

    def chunks(self) -> Iterator[Float32Array]:
        """The rows in order, as float32 [some, K] arrays."""
        if not self.keep:
            yield from self._dequantize()
            return
        if not self._kept:
            self._kept.extend(self._dequantize())
        yield from self._kept

    def _dequantize(self) -> Iterator[Float32Array]:
        for tensor in self.tensors:
            step = max(1, _CHUNK_VALUES // tensor.shape[1])
            for start in range(0, tensor.shape[0], step):
                rows = dequantize(tensor.raw[start : start + step], tensor.type)
                yield rows * np.float32(tensor.scales[0]) if tensor.scales else rows


@dataclass(frozen=True)
class ExpertsWeight:
    """The matrices of all experts [X, N, K], kept as the file has them; those in use are dequantized."""

    tensor: GGUFTensor

    @property
    def shape(self) -> tuple[int, ...]:
        """(X, N, K)."""
        return self.tensor.shape

    def matrix(self, expert: int) -> Float32Array:
        """One expert: float32 [N, K]."""
        matrix = dequantize(self.tensor.raw[expert], self.tensor.type)
        return matrix * np.float32(self.tensor.scales[expert]) if self.tensor.scales else matrix
