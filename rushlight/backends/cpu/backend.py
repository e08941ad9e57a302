"""The cpu backend: packs weights, records the model once and replays it on a team of threads."""

from __future__ import annotations

from rushlight.backends.base import Limits, Model, Progress, Weight
from rushlight.backends.cpu.executor import CpuExecutor
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.packer import Packer
from rushlight.backends.cpu.runtime import TEAM_KERNELS, Team
from rushlight.backends.cpu.target import detect_target
from rushlight.backends.cpu.weights import Matrix, Table, Vector
from rushlight.backends.processors import usable_processors
from rushlight.errors import BackendUnavailable, InvalidFile
from rushlight.gguf import GGUFTensor
from rushlight.quants import dequantize


class CpuBackend:
    """See `backends.base.Backend`."""

    name = "cpu"

    def __init__(self, n_threads: int | None = None, progress: Progress | None = None) -> None:
        """Choose the kernel target.

        Args:
            n_threads: threads in the team; by default one for each physical core that may be used.
            progress: told of kernels that are compiled.

        Raises:
            BackendUnavailable: this processor is below every target.
        """
        detection = detect_target()
        if detection.target is None:
            raise BackendUnavailable(
                f"No kernels run on this processor ({detection.processor}): {detection.reason}. "
                "Use backend='reference'."
            )
        self.target = detection.target
        self.n_threads = usable_processors() if n_threads is None else n_threads
        self._progress = progress
        self._team = Team(self.n_threads, KernelLibrary(TEAM_KERNELS, self.target, progress))
        self._packer = Packer(self.target, self._team, progress)

    def matrix(self, *tensors: GGUFTensor) -> Weight:
        """See `Backend.matrix`."""
        if not tensors or any(len(t.shape) != 2 or t.shape[1] != tensors[0].shape[1] for t in tensors):
            found = ", ".join(f"{t.name} {t.shape}" for t in tensors)
            raise InvalidFile(f"Matrices with equal numbers of columns were expected, not {found or 'none'}.")
        return Matrix(tuple(self._packer.pack(tensor) for tensor in tensors))

    def vector(self, tensor: GGUFTensor) -> Weight:
        """See `Backend.vector`."""
        return Vector(dequantize(tensor.raw, tensor.type).reshape(-1))

    def embedding(self, tensor: GGUFTensor) -> Weight:
        """See `Backend.embedding`."""
        return Table(tensor)

    def executor(self, model: Model, limits: Limits) -> CpuExecutor:
        """See `Backend.executor`. The weights are packed when it returns."""
        executor = CpuExecutor(model, limits, self.target, self._team, self._progress)
        self.wait()
        return executor

    def wait(self) -> None:
        """Return when every matrix taken so far is packed; raises what went wrong."""
        self._packer.wait()

    def close(self) -> None:
        """See `Backend.close`."""
        self._packer.cancel()
        self._team.close()
