"""The cpu backend: kernels written in Python, lowered to the processor's vector instructions."""

from rushlight.backends.cpu.backend import CpuBackend

__all__ = ["CpuBackend"]
