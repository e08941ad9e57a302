"""Several steps of one token a sequence, one by one: the definition of `Executor.decode`."""

from __future__ import annotations

from collections.abc import Sequence

from rushlight.backends.base import Executor
from rushlight.backends.batch import Batch
from rushlight.backends.tensors import Int64Array
from rushlight.drawing import Draw, choose


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
    for i in range(n_steps):
        logits = executor.step(first) if isinstance(first, Batch) else executor.advance(first)
        first = [
            -1 if best.place < 0 else choose(row, best, draws[s] if draws else None, i, executor.row_math)
            for s, (row, best) in enumerate(zip(logits, executor.argmax(), strict=True))
        ]
        steps.append(first)
        if ends.intersection(first):
            break
    return steps
