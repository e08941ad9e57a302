"""The reference backend: every op at once, in NumPy. It is the specification of the op set.

It is also what runs where no kernel can: in float32, on dequantized weights.
"""

from __future__ import annotations

from rushlight.backends.reference.backend import ReferenceBackend

__all__ = ["ReferenceBackend"]
