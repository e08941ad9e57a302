"""The reference backend and its executor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from rushlight.backends.base import Limits, Model
from rushlight.backends.batch import Batch
from rushlight.backends.check import check_batch, check_blocks, check_content
from rushlight.backends.decoding import decode_by_steps
from rushlight.backends.reference.ops import ReferenceOps
from rushlight.backends.reference.pools import KV_DTYPES, FloatArray, allocate_pools
from rushlight.backends.reference.values import Values
from rushlight.backends.reference.weights import ExpertsWeight, MatrixWeight, TableWeight, VectorWeight
from rushlight.backends.tensors import Float32Array, Int64Array
from rushlight.drawing import Draw
from rushlight.errors import InvalidParameter
from rushlight.gguf import GGUFTensor
from rushlight.quants import dequantize
from rushlight.row_math import NUMPY_ROWS, Argmax

DEFAULT_KEPT_BYTES = 4 << 30


class ReferenceBackend:
    """NumPy in float32.

    Args:
        kept_bytes: matrices are kept dequantized up to this many bytes in all; the rest are dequantized
            a chunk at a time whenever they are used, which is slow but lets any model run.
    """

    name = "reference"

    def __init__(self, kept_bytes: int = DEFAULT_KEPT_BYTES) -> None:
        self._bytes_left = kept_bytes

    def matrix(self, *tensors: GGUFTensor) -> MatrixWeight:
        """Take a matrix for `Ops.linear`: [N, K], several stacked along N."""
        columns = {tensor.shape[1:] for tensor in tensors}
        if len(columns) != 1 or len(tensors[0].shape) != 2:
            shapes = ", ".join(f"{tensor.name} {tensor.shape}" for tensor in tensors)
            raise InvalidParameter(f"Stacked matrices must have equal columns, not {shapes}.")
        n_bytes = 4 * sum(tensor.n_elements for tensor in tensors)
        keep = n_bytes <= self._bytes_left
        self._bytes_left -= n_bytes * keep
        return MatrixWeight(tensors, keep)

    def experts(self, tensor: GGUFTensor) -> ExpertsWeight:
        """Take the matrices of all experts for `Ops.experts`: [X, N, K]."""
        if len(tensor.shape) != 3:
            raise InvalidParameter(f"Experts must have three dimensions, not {tensor.name} {tensor.shape}.")
        return ExpertsWeight(tensor)

    def vector(self, tensor: GGUFTensor) -> VectorWeight:
        """Take a norm weight or bias: [N]."""
        return VectorWeight(dequantize(tensor.raw, tensor.type).reshape(-1))

    def embedding(self, tensor: GGUFTensor) -> TableWeight:
        """Take a table [V, E] for `Ops.embed`."""
        return TableWeight(tensor)

    def executor(self, model: Model, limits: Limits) -> ReferenceExecutor:
        """Bind a model to caches of the given sizes."""
        return ReferenceExecutor(model, limits)

    def close(self) -> None:
        """There is nothing to end."""


class ReferenceExecutor:
    """A model bound to its caches.

    Args:
        model: its weights come from `ReferenceBackend`.
        limits: the sizes to allocate for.

    Raises:
        InvalidParameter: limits that do not fit the model.
    """

    def __init__(self, model: Model, limits: Limits) -> None:
        if limits.kv_dtype not in KV_DTYPES:
            raise InvalidParameter(f'kv_dtype is "{limits.kv_dtype}"; it must be "f16" or "f32".')
        if len(limits.n_blocks) != len(model.cache.groups):
            raise InvalidParameter(
                f"n_blocks has {len(limits.n_blocks)} entries; the model needs {len(model.cache.groups)}."
            )
        self._model = model
        self._limits = limits
        self._pools = allocate_pools(model.cache, limits)
        self._logits: Float32Array = np.empty((0, model.n_vocab), np.float32)
        self._last: Batch | None = None
        self.row_math = NUMPY_ROWS

    def step(self, batch: Batch) -> Float32Array:
        """Run one step: the logits [R, V].

        Raises:
            InvalidParameter: the batch does not fit the limits, or refers to rows outside them.
        """
        check_batch(batch, self._limits, self._model.cache, self._model.n_vocab)
        # exp and the rounding to f16 may reach infinity, which is what IEEE 754 and the op set ask of them.
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            logits = self._model.forward(ReferenceOps(batch, self._model.cache, self._pools))
        self._logits, self._last = cast(Values, logits).array, batch
        return self._logits

    def advance(self, token_ids: list[int]) -> Float32Array:
        """See `backends.base.Executor.advance`."""
        if self._last is None:
            raise InvalidParameter("There was no step that another could follow.")
        return self.step(self._last.following(token_ids))

    def decode(
        self, first: Batch | list[int], n_steps: int, end_ids: Int64Array, draws: Sequence[Draw | None] = ()
    ) -> list[list[int]]:
        """See `backends.base.Executor.decode`."""
        return decode_by_steps(self, first, n_steps, end_ids, draws)

    def hurry(self) -> None:
        """See `backends.base.Executor.hurry`; its steps take so long that a few more do not matter."""

    def logits(self) -> Float32Array:
        """See `backends.base.Executor.logits`."""
        return self._logits

    def argmax(self) -> list[Argmax]:
        """The highest logit of each row that the last step gave."""
        return [self.row_math.argmax(row) for row in self._logits]

    def copy_block(self, group: int, source: int, target: int) -> None:
        """Copy block `source` of a cache group over block `target`, in all the group's layers.

        Raises:
            InvalidParameter: there is no such group or block.
        """
        check_blocks(self._limits, group, source, target)
        for layer in self._model.cache.groups[group].layers:
            self._pools[layer].copy_block(source, target)

    def read_block(self, group: int, block: int) -> bytes:
        """See `backends.base.Executor.read_block`."""
        check_blocks(self._limits, group, block)
        return b"".join(place.tobytes() for place in self._places(group, block))

    def write_block(self, group: int, block: int, content: bytes) -> None:
        """See `backends.base.Executor.write_block`."""
        check_blocks(self._limits, group, block)
        places = self._places(group, block)
        check_content(content, sum(place.nbytes for place in places), group)
        start = 0
        for place in places:
            place[:] = np.frombuffer(content, place.dtype, place.size, start).reshape(place.shape)
            start += place.nbytes

    def _places(self, group: int, block: int) -> list[FloatArray]:
        """What a block holds in each layer of a group."""
        layers = self._model.cache.groups[group].layers
        return [array[block] for layer in layers for array in self._pools[layer].arrays]

    def close(self) -> None:
        """Give back the memory of the caches."""
        self._pools.clear()
