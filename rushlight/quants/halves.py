"""Half-precision scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.errors import InvalidParameter
from rushlight.quants.blocks import Floats


def to_half(values: Floats, type_name: str) -> npt.NDArray[Any]:
    """`values` rounded to float16, ties to even.

    Raises:
        InvalidParameter: one of them rounds to infinity.
    """
    halves = values.astype("<f2")
    if not np.isfinite(halves).all():
        raise InvalidParameter(
            f"The values are too large for {type_name}: they need the half-precision number "
            f"{np.abs(values).max():.4g}; expected at most 65504."
        )
    return halves


def inverse(d: Floats) -> Floats:
    """``1 / d``, and 0 where that is not finite: a scale so small is 0 as a half, and so are its values."""
    with np.errstate(divide="ignore", over="ignore"):
        reciprocal = np.float32(1) / d
    finite: Floats = np.where(np.isfinite(reciprocal), reciprocal, np.float32(0))
    return finite
