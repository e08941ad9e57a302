"""What sampling computes over a whole row of logits, as operations that a backend may do faster.

Every implementation gives the same bits: `NumpyRowMath` says which.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from rushlight import portable_math
from rushlight.portable_math import Float32Array, Float64Array


class Argmax(NamedTuple):
    """Where the highest value of a row is.

    Attributes:
        place: its index, of equal ones the first; -1 where any value is NaN or infinite.
        value: the value there; without meaning where the place is -1.
    """

    place: int
    value: float


class RowMath(Protocol):
    """Operations over one row. An array that one returns is valid until the next call of the same one."""

    def argmax(self, x: Float32Array) -> Argmax:
        """The highest value of a row [n], n at least 1, and whether all are finite."""
        ...

    def exp_scaled(self, x: Float32Array, offset: float, divisor: float) -> Float64Array:
        """See `portable_math.exp_scaled`."""
        ...

    def exp_column_sums(self, x: Float32Array, offset: float, divisor: float) -> Float64Array:
        """``column_sums(exp_scaled(x, offset, divisor))``, both of `portable_math`."""
        ...

    def run_maxima(self, x: Float32Array) -> Float32Array:
        """See `portable_math.run_maxima`."""
        ...


class NumpyRowMath:
    """The operations in NumPy: the definition of all others."""

    def argmax(self, x: Float32Array) -> Argmax:
        """See `RowMath.argmax`."""
        place = int(x.argmax())
        value = float(x[place])
        # Of a row with NaN NumPy finds the first NaN.
        return Argmax(place if np.isfinite(value) and np.isfinite(x.min()) else -1, value)

    def exp_scaled(self, x: Float32Array, offset: float, divisor: float) -> Float64Array:
        """See `RowMath.exp_scaled`."""
        return portable_math.exp_scaled(x, offset, divisor)

    def exp_column_sums(self, x: Float32Array, offset: float, divisor: float) -> Float64Array:
        """See `RowMath.exp_column_sums`."""
        return portable_math.column_sums(portable_math.exp_scaled(x, offset, divisor))

    def run_maxima(self, x: Float32Array) -> Float32Array:
        """See `RowMath.run_maxima`."""
        return portable_math.run_maxima(x)


NUMPY_ROWS = NumpyRowMath()
