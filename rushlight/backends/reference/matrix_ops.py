"""Ops of matrices in NumPy: see `rushlight.backends.row_ops.MatrixOps`."""

from __future__ import annotations

import numpy as np

from rushlight.backends.reference.values import StepOps, Values, as_array, as_vector
from rushlight.backends.reference.weights import MatrixWeight, TableWeight
from rushlight.backends.tensors import Tensor, Weight


class ReferenceMatrixOps(StepOps):
    """Tables, norms, products with matrices, and columns of heads."""

    def embed(self, weight: Weight, scale: float = 1.0) -> Values:
        """Rows of the table for the step's token ids, times `scale`."""
        assert isinstance(weight, TableWeight)
        return Values(weight.rows(self._batch.token_ids) * np.float32(scale))

    def embed_positions(self, weight: Weight) -> Values:
        """Rows of the table for the positions of the step's tokens."""
        assert isinstance(weight, TableWeight)
        self._check_positions(weight.shape[0])
        return Values(weight.rows(self._batch.positions))

    def rms_norm(self, x: Tensor, weight: Weight | None, eps: float, n_group: int = 1) -> Values:
        """Root mean square norm of each of `n_group` runs of columns; the mean is taken in float64."""
        rows = as_array(x)
        groups = rows.reshape(len(rows), n_group, x.n_columns // n_group)
        mean = np.mean(np.square(groups, dtype=np.float64), axis=-1, keepdims=True)
        scale = (1.0 / np.sqrt(mean + eps)).astype(np.float32)
        normed = groups * scale if weight is None else groups * scale * as_vector(weight)
        return Values(normed.reshape(rows.shape))

    def layer_norm(
        self, x: Tensor, weight: Weight | None, bias: Weight | None, eps: float, n_group: int = 1
    ) -> Values:
        """Layer norm of each of `n_group` runs of columns; mean and variance are taken in float64."""
        rows = as_array(x)
        groups = rows.reshape(len(rows), n_group, -1).astype(np.float64)
        centred = groups - np.mean(groups, axis=-1, keepdims=True)
        variance = np.mean(np.square(centred), axis=-1, keepdims=True)
        normed = (centred / np.sqrt(variance + eps)).astype(np.float32).reshape(rows.shape)
        if weight is not None:
            normed = normed * as_vector(weight)
        return Values(normed if bias is None else normed + as_vector(bias))

    def linear(self, x: Tensor, weight: Weight, bias: Weight | None = None) -> Values:
        """``x @ weight.T + bias``."""
        assert isinstance(weight, MatrixWeight)
        rows = as_array(x)
        out = np.empty((len(rows), weight.shape[0]), np.float32)
        start = 0
        for chunk in weight.chunks():
            np.matmul(rows, chunk.T, out=out[:, start : start + len(chunk)])
            start += len(chunk)
        return Values(out if bias is None else out + as_vector(bias))

    def head_columns(self, x: Tensor, n_head: int, start: int, stop: int) -> Values:
        """Some columns of each head."""
        rows = as_array(x)
        heads = rows.reshape(len(rows), n_head, -1)[:, :, start:stop]
        return Values(heads.reshape(len(rows), -1))

    def join_heads(self, x: Tensor, y: Tensor, n_head: int, one: bool = False) -> Values:
        """The columns of each head of x, then of y."""
        rows = len(as_array(x))
        left, right = (
            as_array(x).reshape(rows, n_head, -1),
            as_array(y).reshape(rows, 1 if one else n_head, -1),
        )
        right = np.broadcast_to(right, (rows, n_head, right.shape[2]))
        return Values(np.concatenate([left, right], axis=2).reshape(rows, -1))
