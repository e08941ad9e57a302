"""A token out of logits: the temperature, what is kept of the likeliest, and the draw.

Steps 5 to 9 of `rushlight.sampling`. The order of the additions is fixed, so the result is bit-identical on
every processor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rushlight.portable_math import N_COLUMNS, RUN, Float32Array, Float64Array, column_sums, total
from rushlight.row_math import NUMPY_ROWS, Argmax, RowMath

IdArray = npt.NDArray[np.intp]

MOST_OF_TOP = 128
"""Most tokens that `Executor.decode` sorts."""

N_CUTS = 7
_CUTS = tuple(2.0 ** -((n + 2) * (n + 3) // 2) for n in range(N_CUTS))
_FEWCUTS = 3
_WORDS = 4


class Draw(NamedTuple):
    """How the next tokens of a sequence are drawn.

    Attributes:
        temperature: divides the logits; positive.
        numbers: the random number of each token to come, in [0, 1).
        top_k, top_p, min_p: as in `SamplingParams`.
    """

    temperature: float
    numbers: list[float]
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0


def uniforms(seed: int, index: int, n: int) -> list[float]:
    """The random numbers of the tokens from `index` on in a generated text: in [0, 1), multiples of 2**-53.

    Source: Philox4x64-10, a counter-based generator (Salmon et al. 2011); the key is the seed, the counter
    the index. It gives four words at each count, of which the first is used.
    """
    words = np.random.Philox(key=seed, counter=index).random_raw(_WORDS * n)
    return [(word >> 11) * 2.0**-53 for word in words[::_WORDS].tolist()]


def choose(logits: Float32Array, argmax: Argmax, draw: Draw | None, i: int, row_math: RowMath) -> int:
    """A place in logits [V], all finite: that of the highest if `draw` is None, else by its i-th number."""
    if draw is None:
        return argmax.place
    ids: IdArray | None = None
    if 0 < draw.top_k < len(logits):
        ids = np.sort(highest(logits, draw.top_k, row_math))
        logits = logits[ids]
    if draw.top_p >= 1.0 and not draw.min_p:
        place = _draw_from_all(logits, argmax.value, draw.temperature, draw.numbers[i], row_math)
        return place if ids is None else int(ids[place])
    weights = row_math.exp_scaled(logits, argmax.value, draw.temperature)
    keep = _nucleus(weights, draw.top_p)
    if draw.min_p:
        keep = np.flatnonzero(weights >= draw.min_p) if keep is None else keep[weights[keep] >= draw.min_p]
    assert keep is not None
    weights, ids = weights[keep], keep if ids is None else ids[keep]
    column, point = _column(column_sums(weights), draw.numbers[i], len(weights))
    return int(ids[_place(weights[column::N_COLUMNS], column, point)])


def highest(logits: Float32Array, k: int, row_math: RowMath = NUMPY_ROWS) -> IdArray:
    """The ids of the k highest of logits [V], highest first, of equal ones the lowest id first.

    Without sorting them all: the k-th highest of the maxima of runs is below none of the k highest logits.
    """
    if k == 0:
        return np.empty(0, np.intp)
    candidates = np.arange(len(logits))
    if k <= len(logits) // RUN:
        candidates = np.flatnonzero(logits >= np.partition(row_math.run_maxima(logits), -k)[-k])
    order = np.argsort(-logits[candidates], kind="stable")
    return candidates[order[:k]]


def _draw_from_all(
    logits: Float32Array, peak: float, temperature: float, number: float, row_math: RowMath
) -> int:
    """The place in logits [V], the highest of which is `peak`, that a random number falls on.

    Only the weights of one column are kept.
    """
    sums = row_math.exp_column_sums(logits, peak, temperature)
    column, point = _column(sums, number, len(logits))
    of_column = np.ascontiguousarray(logits[column::N_COLUMNS])
    return _place(row_math.exp_scaled(of_column, peak, temperature), column, point)


def _column(sums: Float64Array, number: float, n: int) -> tuple[int, float]:
    """The column, of those that n weights fill, that a random number in [0, 1) falls on, and where in it."""
    columns = np.cumsum(sums)
    point = number * columns[-1]
    column = min(int(np.searchsorted(columns, point, side="right")), n - 1, N_COLUMNS - 1)
    return column, float(point - columns[column - 1] if column else point)


def _place(weights: Float64Array, column: int, point: float) -> int:
    """The place, of all weights, that a point in a column of them falls on."""
    rows = np.cumsum(weights)
    row = min(int(np.searchsorted(rows, point, side="right")), len(rows) - 1)
    return column + row * N_COLUMNS


def _nucleus(weights: Float64Array, top_p: float) -> IdArray | None:
    """Indices, ascending, of the heaviest weights up to a share of `top_p`; None: all of them.

    Only weights above a cut are sorted, the highest cut that leaves enough; the heaviest weight is 1. Of
    equal weights the lowest indices are kept.
    """
    if top_p >= 1.0:
        return None
    wanted = top_p * total(weights)
    many = np.flatnonzero(weights >= _CUTS[_FEWCUTS])
    weights_of_many = weights[many]
    for i, cut in enumerate((*_CUTS, 0.0)):
        # The first cuts leave few weights, which are found among those that the last of them leaves.
        candidates = many[weights_of_many >= cut] if i <= _FEWCUTS else np.flatnonzero(weights >= cut)
        if total(weights[candidates]) >= wanted:
            break
    weights = weights[candidates]
    ordered = np.sort(weights)[::-1]
    n_kept = min(int(np.searchsorted(np.cumsum(ordered), wanted, side="left")) + 1, len(ordered))
    lightest = ordered[n_kept - 1]
    kept = weights >= lightest
    if n_surplus := int(np.count_nonzero(kept)) - n_kept:
        kept[np.flatnonzero(weights == lightest)[-n_surplus:]] = False
    return candidates[kept]
