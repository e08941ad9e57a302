"""Activations as NumPy arrays, and what the ops of every kind share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rushlight.backends.batch import Batch
from rushlight.backends.cache import CacheLayout
from rushlight.backends.reference.pools import KVPool, StatePool
from rushlight.backends.reference.weights import VectorWeight
from rushlight.backends.tensors import Float32Array, Tensor, Weight
from rushlight.errors import InvalidParameter


@dataclass(frozen=True)
class Values:
    """An activation: float32 [rows, n_columns]."""

    array: Float32Array

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return int(self.array.shape[1])

    def columns(self, start: int, stop: int) -> Values:
        """A view of columns ``start`` to ``stop - 1``."""
        return Values(self.array[:, start:stop])


def as_array(x: Tensor) -> Float32Array:
    """The numbers of an activation of this backend."""
    assert isinstance(x, Values)
    return x.array


def as_vector(weight: Weight | Tensor) -> Float32Array:
    """The numbers of a vector of this backend."""
    assert isinstance(weight, VectorWeight)
    return weight.values


class StepOps:
    """Ops bound to a step.

    Args:
        batch: a checked batch.
        layout: the cache layout of the model.
        pools: the pool of each layer.
    """

    def __init__(self, batch: Batch, layout: CacheLayout, pools: Sequence[KVPool | StatePool]) -> None:
        self._batch = batch
        self._layout = layout
        self._pools = pools

    def _check_positions(self, n: int) -> None:
        if (last := self._batch.positions.max()) >= n:
            raise InvalidParameter(f"A batch holds position {last}; the model was loaded for {n}.")
