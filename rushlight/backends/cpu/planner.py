"""What a model is going to need on the cpu backend, found out without its weights.

`Planner` takes tensors as the backend does, but notes their sizes only. The model is then recorded as if it
were to run, so that the sizes are those that the executor reserves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rushlight.backends.base import Limits, Model
from rushlight.backends.cpu.backend import CpuBackend
from rushlight.backends.cpu.executor import CpuExecutor
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.kv_memory import block_bytes
from rushlight.backends.cpu.memory import Region
from rushlight.backends.cpu.packer import Packer, packed_sizes
from rushlight.backends.cpu.plan import plan_buffers
from rushlight.backends.cpu.recorded import record
from rushlight.backends.cpu.recording import OUTPUTS, TOKENS
from rushlight.backends.cpu.weights import ExpertMatrices, PackedPart, Vector
from rushlight.backends.processors import usable_processors
from rushlight.backends.tensors import Weight
from rushlight.errors import BackendUnavailable, UnsupportedTensorType
from rushlight.gguf import GGUFTensor


class Use(NamedTuple):
    """What becomes of a tensor.

    Attributes:
        runs_as: the kernel that reads it, or ``"vector"``.
        n_bytes: of memory beside the file.
    """

    runs_as: str
    n_bytes: int


class Needs(NamedTuple):
    """Bytes of memory.

    Attributes:
        weights: packed matrices and vectors.
        cache_blocks: one block of each layer's cache.
        activations: of a step with as many tokens as it may have.
        attention: scratch memory of the threads, and parts of a split step.
        tables: cosines and sines of every position.
    """

    weights: int
    cache_blocks: tuple[int, ...]
    activations: int
    attention: int
    tables: int

    @property
    def working(self) -> int:
        """All that is neither weights nor cache."""
        return self.activations + self.attention + self.tables


class Planner(CpuBackend):
    """A cpu backend that takes tensors without their values: it loads no kernel and starts no thread.

    Args:
        n_threads: as `CpuBackend` takes it.

    Attributes:
        uses: what becomes of each tensor taken so far, by name; a tensor may be used twice.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = usable_processors() if n_threads is None else n_threads
        self.uses: dict[str, list[Use]] = {}
        self._packer = _SizingPacker(self.uses)

    def vector(self, tensor: GGUFTensor) -> Weight:
        """See `Backend.vector`; its values are not read."""
        vector = Vector(np.zeros(tensor.n_elements, np.float32))
        self.uses.setdefault(tensor.name, []).append(Use("vector", vector.region.n_bytes))
        return vector

    def embedding(self, tensor: GGUFTensor) -> Weight:
        """See `Backend.embedding`."""
        kernel = _kernel("embed", tensor)
        table = super().embedding(tensor)
        self.uses.setdefault(tensor.name, []).append(Use(kernel, 0))
        return table

    def executor(self, model: Model, limits: Limits) -> CpuExecutor:
        """Raises BackendUnavailable: there are no weights to run."""
        raise BackendUnavailable("A planner has no weights to run; load the model with another backend.")

    def wait(self) -> None:
        """See `CpuBackend.wait`; there is nothing to wait for."""

    def close(self) -> None:
        """See `Backend.close`; there is nothing to end."""

    def needs(self, model: Model, limits: Limits) -> Needs:
        """What a model that was loaded with this backend needs within some limits.

        Raises:
            UnsupportedModel: it has a layer for which there are no kernels.
        """
        recording, _, _ = record(model, limits.kv_dtype)
        n_rows = {TOKENS: limits.n_tokens, OUTPUTS: limits.n_outputs}
        _, activations = plan_buffers(recording.buffers, n_rows)
        scratch = recording.thread_bytes(limits.n_ctx) * self.n_threads
        arrays = {id(item): item.nbytes for item in recording.keep if isinstance(item, np.ndarray)}
        return Needs(
            weights=sum(use.n_bytes for uses in self.uses.values() for use in uses),
            cache_blocks=tuple(block_bytes(spec, limits.kv_dtype) for spec in model.cache.specs),
            activations=activations,
            attention=scratch + recording.workspace_bytes(limits.n_ctx),
            tables=sum(arrays.values()),
        )


class _SizingPacker(Packer):
    """Gives every matrix its sizes and no memory."""

    def __init__(self, uses: dict[str, list[Use]]) -> None:
        self._uses = uses
        self._nowhere = Region(0, "weights that are not loaded")

    def pack(self, tensor: GGUFTensor) -> PackedPart:
        """See `Packer.pack`; nothing is packed."""
        n_rows, n_columns = tensor.shape
        n_groups, n_blocks = self._note("linear", tensor, 1)
        return PackedPart(tensor.type, n_rows, n_columns, n_groups, n_blocks, self._nowhere)

    def pack_experts(self, tensor: GGUFTensor) -> ExpertMatrices:
        """See `Packer.pack_experts`; nothing is packed."""
        n_groups, n_blocks = self._note("experts", tensor, tensor.shape[0])
        return ExpertMatrices(tensor.type, tensor.shape, n_groups, n_blocks, self._nowhere)

    def _note(self, purpose: str, tensor: GGUFTensor, n_matrices: int) -> tuple[int, int]:
        """Note what becomes of a tensor; the groups of each of its matrices, and the blocks in a group."""
        kernel = _kernel(purpose, tensor)
        n_groups, n_blocks, n_bytes = packed_sizes(tensor.type, *tensor.shape[-2:])
        self._uses.setdefault(tensor.name, []).append(Use(kernel, n_matrices * n_bytes))
        return n_groups, n_blocks


def _kernel(purpose: str, tensor: GGUFTensor) -> str:
    """The kernel that reads a tensor. Raises UnsupportedTensorType if there is none."""
    kernel = f"{purpose}_{tensor.type.name.lower()}"
    if kernel not in KERNELS:
        raise UnsupportedTensorType(
            f"Tensor {tensor.name} has the type {tensor.type.name}, for which the cpu backend has no kernel "
            f"{kernel}; use backend='reference'."
        )
    return kernel
