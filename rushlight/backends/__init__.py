"""Backends: `reference` (NumPy, the specification) and `cpu` (native kernels written in Python)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight.errors import BackendUnavailable, InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rushlight.backends.base import Backend, Progress
    from rushlight.gguf import GGMLType

BACKENDS = ("auto", "cpu", "reference")


def load_backend(
    name: str,
    n_threads: int | None = None,
    progress: Progress | None = None,
    tensor_types: Iterable[GGMLType] = (),
    expert_types: Iterable[GGMLType] = (),
) -> Backend:
    """Make a backend.

    Args:
        name: "cpu", "reference", or "auto" for cpu where this machine can run it and reference elsewhere.
        n_threads: of the cpu backend; None leaves the choice to it. The reference backend has no use for it.
        progress: called while the backend prepares kernels and weights.
        tensor_types: types of the matrices to come, as far as they are known.
        expert_types: types of the matrices of experts among them.

    Raises:
        InvalidParameter: an unknown name.
        BackendUnavailable: "cpu" was asked for and this machine cannot run it.
    """
    if name not in BACKENDS:
        raise InvalidParameter(f'There is no backend "{name}"; choose one of {", ".join(BACKENDS)}.')
    if name == "reference":
        return _reference()
    try:
        return _cpu(n_threads, progress, tensor_types, expert_types)
    except BackendUnavailable:
        if name == "cpu":
            raise
        return _reference()


def _reference() -> Backend:
    from rushlight.backends.reference import ReferenceBackend

    return ReferenceBackend()


def _cpu(
    n_threads: int | None,
    progress: Progress | None,
    tensor_types: Iterable[GGMLType],
    expert_types: Iterable[GGMLType],
) -> Backend:
    try:
        from rushlight.backends.cpu import CpuBackend
    except ImportError as error:
        raise BackendUnavailable(
            f"The cpu backend cannot be imported here ({error}); use the reference backend instead."
        ) from error
    return CpuBackend(n_threads, progress, tensor_types, expert_types=expert_types)
