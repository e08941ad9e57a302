"""A token drawn from probabilities, by inverting their cumulative distribution; and the numbers for it.

The order of the additions is fixed (see `rushlight.sampling`, step 9), so the result is bit-identical on
every processor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rushlight.portable_math import N_COLUMNS, Float32Array, Float64Array
from rushlight.row_math import RowMath

_WORDS = 4


class Draw(NamedTuple):
    """How the next tokens of a sequence are drawn from all tokens.

    Attributes:
        temperature: divides the logits; positive.
        numbers: the random number of each token to come, in [0, 1).
    """

    temperature: float
    numbers: list[float]


def uniforms(seed: int, index: int, n: int) -> list[float]:
    """The random numbers of the tokens from `index` on in a generated text: in [0, 1), multiples of 2**-53.

    Source: Philox4x64-10, a counter-based generator (Salmon et al. 2011); the key is the seed, the counter
    the index. It gives four words at each count, of which the first is used.
    """
    words = np.random.Philox(key=seed, counter=index).random_raw(_WORDS * n)
    return [(word >> 11) * 2.0**-53 for word in words[::_WORDS].tolist()]


def draw_from_all(
    logits: Float32Array, peak: float, temperature: float, number: float, row_math: RowMath
) -> int:
    """The place in logits [V], the highest of which is `peak`, that a random number falls on.

    Only the weights of one column are kept.
    """
    sums = row_math.exp_column_sums(logits, peak, temperature)
    column, point = column_of(sums, number, len(logits))
    of_column = np.ascontiguousarray(logits[column::N_COLUMNS])
    return place_in_column(row_math.exp_scaled(of_column, peak, temperature), column, point)


def column_of(sums: Float64Array, number: float, n: int) -> tuple[int, float]:
    """The column, of those that n weights fill, that a random number in [0, 1) falls on, and where in it."""
    columns = np.cumsum(sums)
    point = number * columns[-1]
    column = min(int(np.searchsorted(columns, point, side="right")), n - 1, N_COLUMNS - 1)
    return column, float(point - columns[column - 1] if column else point)


def place_in_column(weights: Float64Array, column: int, point: float) -> int:
    """The place, of all weights, that a point in a column of them falls on."""
    rows = np.cumsum(weights)
    row = min(int(np.searchsorted(rows, point, side="right")), len(rows) - 1)
    return column + row * N_COLUMNS
