"""Several steps of one token a sequence, one by one: the definition of `Executor.decode`."""

from __future__ import annotations

from collections.abc import Sequence

from rushlight.backends.base import Executor, Float32Array, Int64Array
from rushlight.backends.batch import Batch
from rushlight.drawing import Draw, draw_from_all
from rushlight.row_math import Argmax, RowMath


def decode_by_steps(
    executor: Executor,
    first: Batch | list[int],
    n_steps: int,
    end_ids: Int64Array,
    draws: Sequence[Draw | None] = (),
) -> list[list[int]]:
    """See `backends.base.Executor.decode`."""
    ends = {-1, *end_ids.tolist()}
    steps: list[list[int]] = []
    while True:
        logits = executor.step(first) if isinstance(first, Batch) else executor.advance(first)
        first = [
            _choose(row, best, draws[s] if draws else None, len(steps), executor.row_math)
            for s, (row, best) in enumerate(zip(logits, executor.argmax(), strict=True))
        ]
        steps.append(first)
        if len(steps) == n_steps or ends.intersection(first):
            return steps


def _choose(logits: Float32Array, best: Argmax, draw: Draw | None, i: int, row_math: RowMath) -> int:
    if draw is None or best.place < 0:
        return best.place
    return draw_from_all(logits, best.value, draw.temperature, draw.numbers[i], row_math)
