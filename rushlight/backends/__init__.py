"""Backends: `reference` (NumPy, the specification) and `cpu` (native kernels written in Python)."""
