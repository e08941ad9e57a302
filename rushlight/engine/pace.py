"""How many tokens of prompts a step may take, so that nobody waits long for its end."""

from __future__ import annotations

PIECE = 8  # rows that the matrix kernels take at once
_LEAST = 2 * PIECE
_FIRST = 2 * _LEAST
_ALONE = 8
_FASTEST_GROWTH = 2.0


class Pace:
    """The number of prompt tokens with which a step takes about as long as it may.

    It begins small. A step that took less than its target lets the number grow with the time that was left,
    at most twofold; one that took more cuts it at once. What a step costs besides, such as the tokens of
    those who decode or reading the weights, is in the measured seconds, so the number settles where all of it
    together meets the target, and follows as prompts grow deeper or the machine slows down. It is never less
    than `_LEAST`: a machine on which that takes longer than the target still gets on.

    A sequence that has the engine for itself may take `_ALONE` times as long, because long steps are a little
    more efficient, but not longer: somebody may come, or it may be aborted.

    Args:
        step_seconds: the target of a step that several sequences share.
        n_most: most tokens of a step.
    """

    def __init__(self, step_seconds: float, n_most: int) -> None:
        self._target = step_seconds
        self._most = n_most
        self._n = float(_FIRST)

    def n_tokens(self, *, alone: bool) -> int:
        """Prompt tokens for the next step: whole pieces, or as many as a step can have."""
        return min(int(self._n) // PIECE * PIECE * (_ALONE if alone else 1), self._most)

    def note(self, n_tokens: int, seconds: float, *, alone: bool) -> None:
        """Learn from a step with this many prompt tokens; steps with fewer than `_LEAST` tell nothing."""
        if n_tokens < _LEAST:
            return
        scale = _ALONE if alone else 1
        growth = min(scale * self._target / seconds, _FASTEST_GROWTH) if seconds > 0 else _FASTEST_GROWTH
        wanted = n_tokens * growth / scale
        self._n = max(self._n, wanted) if growth > 1 else min(self._n, wanted)
        self._n = max(_LEAST, min(self._n, self._most))
