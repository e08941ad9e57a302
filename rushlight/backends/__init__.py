"""Backends: `reference` (NumPy, the specification) and `cpu` (native kernels written in Python)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight.errors import BackendUnavailable, InvalidParameter

if TYPE_CHECKING:
    from rushlight.backends.base import Backend, Progress

BACKENDS = ("auto", "cpu", "reference")


def load_backend(name: str, n_threads: int | None = None, progress: Progress | None = None) -> Backend:
    """Make a backend.

    Args:
        name: "cpu", "reference", or "auto" for cpu where this machine can run it and reference elsewhere.
        n_threads: of the cpu backend; None leaves the choice to it. The reference backend has no use for it.
        progress: called while the backend prepares kernels and weights.

    Raises:
        InvalidParameter: an unknown name.
        BackendUnavailable: "cpu" was asked for and this machine cannot run it.
    """
    if name not in BACKENDS:
        raise InvalidParameter(f'There is no backend "{name}"; choose one of {", ".join(BACKENDS)}.')
    if name == "reference":
        return _reference()
    try:
        return _cpu(n_threads, progress)
    except BackendUnavailable:
        if name == "cpu":
            raise
        return _reference()


def _reference() -> Backend:
    from rushlight.backends.reference import ReferenceBackend

    return ReferenceBackend()


def _cpu(n_threads: int | None, progress: Progress | None) -> Backend:
    try:
        from rushlight.backends.cpu import CpuBackend
    except ImportError as error:
        raise BackendUnavailable(
            f"The cpu backend cannot be imported here ({error}); use the reference backend instead."
        ) from error
    return CpuBackend(n_threads, progress)
