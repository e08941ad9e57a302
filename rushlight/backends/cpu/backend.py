"""The cpu backend: packs weights, records the model once and replays it on a team of threads."""

from __future__ import annotations

from collections.abc import Iterable

from rushlight.backends.base import Limits, Model, Progress
from rushlight.backends.cpu.executor import CpuExecutor
from rushlight.backends.cpu.needs import likely_kernels
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.packer import Packer
from rushlight.backends.cpu.runtime import TEAM_KERNELS, Team
from rushlight.backends.cpu.target import Target, detect_target
from rushlight.backends.cpu.weights import Matrix, Table, Vector
from rushlight.backends.processors import usable_processors
from rushlight.backends.tensors import Weight
from rushlight.errors import BackendUnavailable, InvalidFile
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.quants import dequantize


def _best_target() -> Target:
    detection = detect_target()
    if detection.target is None:
        raise BackendUnavailable(
            f"No kernels run on this processor ({detection.processor}): {detection.reason}. "
            "Use backend='reference'."
        )
    return detection.target


class CpuBackend:
    """See `backends.base.Backend`."""

    name = "cpu"

    def __init__(
        self,
        n_threads: int | None = None,
        progress: Progress | None = None,
        tensor_types: Iterable[GGMLType] = (),
        target: Target | None = None,
        expert_types: Iterable[GGMLType] = (),
    ) -> None:
        """Choose the kernel target and load kernels.

        Args:
            n_threads: threads in the team; by default one for each physical core that may be used.
            progress: told of kernels that are compiled.
            tensor_types: types of the matrices to come. Their kernels are loaded now, so that those that are
                missing are compiled side by side; others when they are needed.
            target: whose kernels to use; by default the best that this processor runs.
            expert_types: types of the matrices of experts to come.

        Raises:
            BackendUnavailable: this processor is below every target.
        """
        self.target = target or _best_target()
        self.n_threads = usable_processors() if n_threads is None else n_threads
        kernels = {*TEAM_KERNELS, *likely_kernels(tensor_types, expert_types)}
        self._library = KernelLibrary(kernels, self.target, progress)
        self._team = Team(self.n_threads, self._library)
        self._packer = Packer(self._library, self.n_threads)

    def matrix(self, *tensors: GGUFTensor) -> Weight:
        """See `Backend.matrix`."""
        if not tensors or any(len(t.shape) != 2 or t.shape[1] != tensors[0].shape[1] for t in tensors):
            found = ", ".join(f"{t.name} {t.shape}" for t in tensors)
            raise InvalidFile(f"Matrices with equal numbers of columns were expected, not {found or 'none'}.")
        return Matrix(tuple(self._packer.pack(tensor) for tensor in tensors))

    def experts(self, tensor: GGUFTensor) -> Weight:
        """See `Backend.experts`."""
        if len(tensor.shape) != 3:
            raise InvalidFile(f"Experts of three dimensions were expected, not {tensor.name} {tensor.shape}.")
        return self._packer.pack_experts(tensor)

    def vector(self, tensor: GGUFTensor) -> Weight:
        """See `Backend.vector`."""
        return Vector(dequantize(tensor.raw, tensor.type).reshape(-1))

    def embedding(self, tensor: GGUFTensor) -> Weight:
        """See `Backend.embedding`."""
        return Table(tensor)

    def executor(self, model: Model, limits: Limits) -> CpuExecutor:
        """See `Backend.executor`. The weights are packed when it returns."""
        executor = CpuExecutor(model, limits, self._library, self._team)
        self.wait()
        return executor

    def wait(self) -> None:
        """Return when every matrix taken so far is packed; raises what went wrong."""
        self._packer.wait()

    def close(self) -> None:
        """See `Backend.close`."""
        self._packer.cancel()
        self._team.close()
