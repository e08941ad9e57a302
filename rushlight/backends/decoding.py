"""Several steps of one token a sequence, one by one: the definition of `Executor.decode`."""

from __future__ import annotations

from rushlight.backends.base import Executor, Int64Array
from rushlight.backends.batch import Batch


def decode_by_steps(
    executor: Executor, first: Batch | list[int], n_steps: int, end_ids: Int64Array
) -> list[list[int]]:
    """See `backends.base.Executor.decode`."""
    ends = {-1, *end_ids.tolist()}
    tokens: list[list[int]] = []
    while True:
        if isinstance(first, Batch):
            executor.step(first)
        else:
            executor.advance(first)
        first = [best.place for best in executor.argmax()]
        tokens.append(first)
        if len(tokens) == n_steps or ends.intersection(first):
            return tokens
