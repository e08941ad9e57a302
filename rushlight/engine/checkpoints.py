"""Copies of recurrent states at edges of blocks, from which other sequences go on.

- Behind every `CHECKPOINT_TOKENS` tokens, and at the last edge inside a prompt, a copy stays until its place
  is needed.
- While an answer is written, one copy moves along from edge to edge, so that the next turn of a conversation
  computes less than a block of the answer again.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items

from rushlight.backends.cache import BLOCK_TOKENS, CacheGroup
from rushlight.engine.block_pool import BlockPool
from rushlight.engine.sequence import Sequence

CHECKPOINT_TOKENS = 8 * BLOCK_TOKENS

CopyBlock = Callable[[int, int, int], None]
"""Copies a block: (group, source, target)."""


class Checkpoints:
    """The copies in the pools of the recurrent groups.

    Args:
        groups: all groups of the model.
        pools: of each group.
        copy_block: copies the content of a block, at once.
    """

    def __init__(self, groups: Items[CacheGroup], pools: Items[BlockPool], copy_block: CopyBlock) -> None:
        self._pools = [(g, pools[g]) for g, group in enumerate(groups) if group.recurrent]
        self._copy_block = copy_block

    def next_edge(self, sequence: Sequence) -> int:
        """Where the sequence's next chunk must end at the latest, so that a copy can be taken there."""
        end = sequence.n_tokens
        if not self._pools:
            return end
        next_checkpoint = (sequence.n_computed // CHECKPOINT_TOKENS + 1) * CHECKPOINT_TOKENS
        edges = (next_checkpoint, _prompt_edge(sequence), end)
        return min(edge for edge in edges if edge > sequence.n_computed)

    def take(self, sequence: Sequence, key: bytes) -> list[int]:
        """Copy the states of a sequence that has come to a block's end, if that is such an edge.

        Args:
            sequence: with `n_computed` tokens.
            key: of the last full block.

        Returns:
            The groups whose state is worth to be kept for longer.
        """
        n_computed = sequence.n_computed
        stays = n_computed % CHECKPOINT_TOKENS == 0 or n_computed == _prompt_edge(sequence)
        if not self._pools or n_computed % BLOCK_TOKENS or not (stays or sequence.generated):
            return []
        is_new = False
        for g, pool in self._pools:
            if sequence.moving_key is not None:
                pool.forget(sequence.moving_key)
            if pool.find(key) is None and pool.n_available:
                copy = pool.allocate()
                self._copy_block(g, sequence.block_tables[g][0], copy)
                pool.keep(copy, key)
                pool.release(copy)
                is_new = True
        sequence.moving_key = key if is_new and not stays else None
        return [g for g, _ in self._pools] if stays else []


def _prompt_edge(sequence: Sequence) -> int:
    """The last edge of blocks inside the prompt: where a prompt with the same beginning can go on."""
    return (len(sequence.prompt_ids) - 1) // BLOCK_TOKENS * BLOCK_TOKENS
