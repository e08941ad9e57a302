"""Activations in 8 bits, as the cpu backend promises to round them: an independent NumPy version."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from helpers.weights import FLOAT_TYPES
from numpy.typing import NDArray

from rushlight.backends.base import Tensor, Weight
from rushlight.backends.reference.ops import ReferenceOps
from rushlight.backends.reference.values import Values
from rushlight.backends.reference.weights import ExpertsWeight, MatrixWeight
from rushlight.backends.routing import Routes


@dataclass(frozen=True)
class EightBits:
    """Rows of blocks of columns.

    Attributes:
        integers: int64 [rows, blocks, columns of a block], from -127 to 127.
        scales: float32 [rows, blocks]; 0 where ``max|x| / 127`` is subnormal.
    """

    integers: NDArray[np.int64]
    scales: NDArray[np.float32]

    @property
    def values(self) -> NDArray[np.float64]:
        """What the integers stand for: float64 [rows, columns]."""
        return (self.integers * self.scales[:, :, None].astype(np.float64)).reshape(len(self.integers), -1)


def eight_bits(x: NDArray[np.float32], columns: int) -> EightBits:
    """Quantize: ``scale = max|x| / 127`` of each block, then the nearest multiples, ties to even."""
    blocks = x.reshape(len(x), -1, columns)
    scales = np.abs(blocks).max(axis=-1) / np.float32(127)
    scales = np.where(scales >= np.finfo(np.float32).tiny, scales, np.float32(0))
    inverse = np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=scales > 0)
    return EightBits(np.rint(blocks * inverse[:, :, None]).astype(np.int64), scales)


def round_activations(patch: pytest.MonkeyPatch, columns: int) -> None:
    """Have the reference backend's matrices, if not of a float type, take activations rounded in blocks."""
    plain_linear, plain_experts = ReferenceOps.linear, ReferenceOps.experts
    plain_heads = ReferenceOps.head_linear

    def rounded(x: Tensor) -> Values:
        assert isinstance(x, Values)
        return Values(eight_bits(np.ascontiguousarray(x.array), columns).values.astype(np.float32))

    def linear(ops: ReferenceOps, x: Tensor, weight: Weight, bias: Weight | None = None) -> Values:
        assert isinstance(weight, MatrixWeight)
        is_float = any(tensor.type in FLOAT_TYPES for tensor in weight.tensors)
        return plain_linear(ops, x if is_float else rounded(x), weight, bias)

    def experts(
        ops: ReferenceOps, x: Tensor, weight: Weight, routes: Routes, bias: Weight | None = None
    ) -> Values:
        assert isinstance(weight, ExpertsWeight)
        is_float = weight.tensor.type in FLOAT_TYPES
        return plain_experts(ops, x if is_float else rounded(x), weight, routes, bias)

    def head_linear(ops: ReferenceOps, x: Tensor, weight: Weight) -> Values:
        assert isinstance(weight, ExpertsWeight)
        return plain_heads(ops, x if weight.tensor.type in FLOAT_TYPES else rounded(x), weight)

    patch.setattr(ReferenceOps, "head_linear", head_linear)
    patch.setattr(ReferenceOps, "linear", linear)
    patch.setattr(ReferenceOps, "experts", experts)
