"""How many tokens of each sequence one call of the executor computes, for each call costs Python time."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.engine.scheduler import Chunk

MOST_STEPS = 8
_CALL_SECONDS = 0.05
"""About how long a call of several steps may take, so that streams still seem to flow; who comes or goes ends
it sooner. Of a token that takes longer than half of that, Python's share is nothing."""


class Stride:
    """The number of steps of a call.

    Every step of a call lies in the blocks that the sequences have, and none behind the end that is known of
    one of them. An end that is not known (a stop string, an abort) leaves tokens computed that nobody gets:
    what they wrote lies behind the end of the sequence, in a block that is not full, so nobody ever sees it.

    Args:
        n_ctx: most tokens of a sequence.
        most: most steps of a call.
    """

    def __init__(self, n_ctx: int, most: int = MOST_STEPS) -> None:
        self._n_ctx = n_ctx
        self._most = most
        self._step_seconds = math.inf

    def n_steps(self, chunks: Iterable[Chunk]) -> int:
        """How many steps begin with these chunks, each the last token of a sequence."""
        n = self._most
        if self._step_seconds * n > _CALL_SECONDS:
            n = int(_CALL_SECONDS / self._step_seconds)
        for sequence, start, _, _ in chunks:
            if not sequence.is_plain:
                return 1
            n = min(n, BLOCK_TOKENS - start % BLOCK_TOKENS, self._n_ctx - sequence.n_tokens)
            if (most := sequence.params.max_tokens) is not None:
                n = min(n, most - sequence.n_generated)
        return max(n, 1)

    def note(self, n_steps: int, seconds: float) -> None:
        """Learn how long a call of so many steps took."""
        self._step_seconds = seconds / n_steps
