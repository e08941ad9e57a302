"""Linear layers: matrices of the backend with their biases, to be called."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rushlight.backends.base import Ops, Tensor, Weight
from rushlight.backends.routing import Routes


class Linear(NamedTuple):
    """A matrix [N, K] and its bias [N], if it has one."""

    weight: Weight
    bias: Weight | None = None

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """``x @ weight.T + bias``."""
        return ops.linear(x, self.weight, self.bias)


class NoHead:
    """Stands where the head is, in a model whose hidden states are what is wanted."""

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The hidden states, as they are."""
        return x


class ExpertLinear(NamedTuple):
    """The matrices [X, N, K] of experts and their biases [X * N], if they have any."""

    weight: Weight
    bias: Weight | None = None

    def __call__(self, ops: Ops, x: Tensor, routes: Routes) -> Tensor:
        """The products of the chosen experts, side by side."""
        return ops.experts(x, self.weight, routes, self.bias)


class Joined(NamedTuple):
    """Linear layers of the same input, run as one matrix wherever they can be.

    Attributes:
        linears: one that gives all outputs side by side, or one for each output.
        sizes: columns of each output.
    """

    linears: tuple[Linear, ...]
    sizes: tuple[int, ...]

    def __call__(self, ops: Ops, x: Tensor) -> tuple[Tensor, ...]:
        """The outputs, in order."""
        if len(self.linears) > 1:
            return tuple(linear(ops, x) for linear in self.linears)
        together = self.linears[0](ops, x)
        stops = np.cumsum(self.sizes).tolist()
        return tuple(
            together.columns(stop - size, stop) for size, stop in zip(self.sizes, stops, strict=True)
        )
