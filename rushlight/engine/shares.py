"""Who gets how much of a step's budget for prompts."""

from __future__ import annotations

from rushlight.engine.pace import PIECE


def prompt_shares(n_left: list[int], budget: int, turn: int) -> list[int]:
    """How many tokens of each of several prompts are computed next.

    Half of the pieces go to the prompt that came first. Every prompt will be that one day, so each is done in
    at most twice the time that it and those before it take. The other half goes to the rest, the shortest
    first, so that a short prompt hardly waits for a long one. The odd one of the pieces goes to the first in
    every second step. What one side cannot use is the other's.

    Args:
        n_left: tokens of each prompt still to be computed, in order of arrival; at least 1 each.
        budget: tokens to give away.
        turn: the number of the step.

    Returns:
        The tokens of each, in the same order; 0 where it has to wait.
    """
    n_pieces = -(-budget // PIECE)
    reserved = min(n_left[0], (n_pieces + turn % 2) // 2 * PIECE, budget)
    shares = [0] * len(n_left)
    rest = budget - reserved
    for i in sorted(range(1, len(n_left)), key=lambda i: (n_left[i], i)):
        shares[i] = min(n_left[i], rest)
        rest -= shares[i]
    shares[0] = min(n_left[0], reserved + rest)
    return shares
