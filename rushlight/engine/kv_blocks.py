"""Which blocks hold a sequence's keys, values and states, in every cache group of the model.

A full block is found again by its content: its key is a hash chained over all tokens up to its end, so equal
keys mean equal prefixes. Only full blocks are shared, and they are never written again.

- A group without a window keeps every block of a running sequence.
- A group with a window lets go of the blocks that no later token can see.
- A recurrent group holds one block, the state, which every token overwrites and the token at position 0
  begins anew; copies of it (`Checkpoints`) are kept at some edges of blocks, under the key of the prefix.

Source: PagedAttention (Kwon et al. 2023) and vLLM's automatic prefix caching.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import partial

from rushlight.backends.cache import BLOCK_TOKENS, CacheLayout
from rushlight.engine.block_pool import BlockPool
from rushlight.engine.checkpoints import Checkpoints, CopyBlock
from rushlight.engine.prefix import Prefix, block_keys, run_lengths
from rushlight.engine.sequence import Sequence

NO_BLOCK = -1

Offer = Callable[[int, bytes, int], None]
"""Hears of a block of a prompt whose content is known: (group, key, block)."""


def blocks_for(n_tokens: int) -> int:
    """Blocks that hold this many positions."""
    return -(-n_tokens // BLOCK_TOKENS)


def first_visible_block(position: int, window: int) -> int:
    """Index of the first block that the token at `position` can see, or part of it."""
    return max(0, position - window + 1) // BLOCK_TOKENS if window else 0


def most_blocks(n_tokens: int, window: int, n_chunk: int) -> int:
    """Most blocks that a sequence of `n_tokens` holds at once when computed `n_chunk` tokens at a time."""
    if not window:
        return blocks_for(n_tokens)
    return min(blocks_for(n_tokens), blocks_for(window - 1 + n_chunk) + 1)


class KVBlocks:
    """The block pools of all cache groups, and the block tables of the sequences that run.

    Args:
        layout: the model's cache groups.
        n_blocks: blocks of each group.
        n_chunk: most tokens of one sequence in one step.
        copy_block: copies the content of a block, at once.
        prefix_cache: keep the contents of unused blocks.
        offer: told of each full block of a prompt when it is computed, or found again; None: nobody is.
    """

    def __init__(
        self,
        layout: CacheLayout,
        n_blocks: tuple[int, ...],
        n_chunk: int,
        copy_block: CopyBlock,
        prefix_cache: bool = True,
        offer: Offer | None = None,
    ) -> None:
        self.groups = layout.groups
        self.pools = tuple(BlockPool(n) for n in n_blocks)
        self._n_chunk = n_chunk
        self._copy_block = copy_block
        self._prefix_cache = prefix_cache and layout.is_causal  # else what comes later changes what is kept
        self._offer = offer
        self._windowed = [
            (g, group.window, self.pools[g]) for g, group in enumerate(self.groups) if group.window
        ]
        self._has_states = any(group.recurrent for group in layout.groups)
        self._checkpoints = Checkpoints(self.groups, self.pools, copy_block)

    def fits(self, n_tokens: int) -> bool:
        """Whether one sequence of `n_tokens` fits while no other runs."""
        return all(pool.n_blocks >= n for pool, n in zip(self.pools, self._most(n_tokens), strict=True))

    def find_prefix(self, sequence: Sequence) -> Prefix:
        """The longest cached beginning of a sequence, in front of all tokens whose logits are wanted."""
        keys = self.prefix_keys(sequence)
        n = self.longest_prefix(keys, self.has)
        tables = []
        for g, (group, pool) in enumerate(zip(self.groups, self.pools, strict=True)):
            found = [block for i in self.needed(g, n) if (block := pool.find(keys[i])) is not None]
            n_gone = 0 if group.recurrent else n - len(found)
            tables.append((NO_BLOCK,) * n_gone + tuple(found))
        return Prefix(n * BLOCK_TOKENS, tuple(tables))

    def prefix_keys(self, sequence: Sequence) -> list[bytes]:
        """Content keys of the blocks in front of all tokens whose logits are wanted; none without a cache."""
        return block_keys(sequence, sequence.first_output // BLOCK_TOKENS if self._prefix_cache else 0)

    def has(self, g: int, key: bytes) -> bool:
        """Whether a block of group g holds this content."""
        return self.pools[g].find(key) is not None

    def longest_prefix(self, keys: list[bytes], has: Callable[[int, bytes], bool]) -> int:
        """After how many of some leading blocks a sequence can go on, given which of them there are."""
        runs = [run_lengths(keys, partial(has, g)) for g in range(len(self.groups))]
        n = len(keys)
        while n and any(run[n - 1] < len(self.needed(g, n)) for g, run in enumerate(runs)):
            n -= 1
        return n

    def needed(self, g: int, n: int) -> range:
        """Which of a prefix's n blocks group g needs to go on after it: some of the last ones."""
        group = self.groups[g]
        if group.recurrent:
            return range(max(0, n - 1), n)
        return range(first_visible_block(n * BLOCK_TOKENS, group.window), n)

    def can_start(self, sequence: Sequence, prefix: Prefix, running: list[Sequence]) -> bool:
        """Whether the blocks for all of a waiting sequence's tokens, and one more to come, are there now.

        Those that the running sequences still need for theirs do not count.
        """
        for g, (pool, table) in enumerate(zip(self.pools, prefix.tables, strict=True)):
            found = [block for block in table if block != NO_BLOCK]
            n_idle = sum(pool.is_idle(block) for block in found)
            n_promised = sum(
                max(0, self._demand(other)[g] - len(other.block_tables[g]) + other.n_slid[g])
                for other in running
            )
            if self._demand(sequence)[g] - len(found) > pool.n_available - n_idle - n_promised:
                return False
        return True

    def start(self, sequence: Sequence, prefix: Prefix) -> None:
        """Give a waiting sequence the blocks of its cached beginning, and a state where it needs one."""
        sequence.n_computed = prefix.n_tokens
        sequence.n_kept = prefix.n_tokens // BLOCK_TOKENS
        sequence.block_tables = [array("i", table) for table in prefix.tables]
        sequence.n_slid = [table.count(NO_BLOCK) for table in prefix.tables]
        for g, (group, pool) in enumerate(zip(self.groups, self.pools, strict=True)):
            for block in prefix.tables[g]:
                if block != NO_BLOCK:
                    pool.share(block)
            self._offer_found(sequence, g, prefix.tables[g])
            if group.recurrent:
                state = pool.allocate()
                for checkpoint in prefix.tables[g]:
                    self._copy_block(g, checkpoint, state)
                    pool.release(checkpoint)
                sequence.block_tables[g] = array("i", [state])

    def reserve(self, sequence: Sequence, stop: int) -> bool:
        """Give a sequence the blocks of its positions below `stop`: all of them, or none and False."""
        if all(len(table) * BLOCK_TOKENS >= stop for table in sequence.block_tables) and not self._has_states:
            return True
        missing = [
            0 if group.recurrent else max(0, blocks_for(stop) - len(table))
            for group, table in zip(self.groups, sequence.block_tables, strict=True)
        ]
        if any(n > pool.n_available for n, pool in zip(missing, self.pools, strict=True)):
            return False
        for n, pool, table in zip(missing, self.pools, sequence.block_tables, strict=True):
            table.extend(pool.allocate() for _ in range(n))
        return True

    def next_edge(self, sequence: Sequence) -> int:
        """Where the sequence's next chunk must end at the latest, so that a checkpoint can be taken there."""
        return self._checkpoints.next_edge(sequence) if self._prefix_cache else sequence.n_tokens

    def commit(self, sequence: Sequence, stop: int) -> None:
        """Note that the positions below `stop` are computed: keep full blocks, let go of unseen ones."""
        sequence.n_computed = stop
        if self._prefix_cache and stop // BLOCK_TOKENS > sequence.n_kept:
            self._keep_full_blocks(sequence)
        for g, window, pool in self._windowed:
            table = sequence.block_tables[g]
            first = min(first_visible_block(stop, window), len(table))
            for i in range(sequence.n_slid[g], first):
                pool.release(table[i])
                table[i] = NO_BLOCK
            sequence.n_slid[g] = first

    def free(self, sequence: Sequence) -> None:
        """Take back all blocks of a sequence, the ends of its tables first."""
        for pool, table in zip(self.pools, sequence.block_tables, strict=False):
            for block in reversed(table):
                if block != NO_BLOCK:
                    pool.release(block)
        sequence.block_tables, sequence.n_slid = [], []
        sequence.n_computed = 0

    def _offer_found(self, sequence: Sequence, g: int, found: tuple[int, ...]) -> None:
        """Offer the blocks that a sequence starts with, the last ones of its beginning in group g."""
        if self._offer is not None:
            keys = sequence.block_keys[: sequence.n_kept]
            for key, block in zip(reversed(keys), reversed(found), strict=False):
                if block != NO_BLOCK:
                    self._offer(g, key, block)

    def _keep_full_blocks(self, sequence: Sequence) -> None:
        n_full = sequence.n_computed // BLOCK_TOKENS
        keys = block_keys(sequence, n_full)
        for g, (group, pool) in enumerate(zip(self.groups, self.pools, strict=True)):
            if group.recurrent:
                continue
            table = sequence.block_tables[g]
            for i in range(sequence.n_kept, n_full):
                pool.keep(table[i], keys[i])
                self._offer_computed(sequence, g, i, table[i])
        for g in self._checkpoints.take(sequence, keys[-1]):
            self._offer_computed(sequence, g, n_full - 1, sequence.block_tables[g][0])
        sequence.n_kept = n_full

    def _offer_computed(self, sequence: Sequence, g: int, i: int, block: int) -> None:
        """Offer what group g needs of block i, if that is one of the prompt."""
        if self._offer is not None and (i + 1) * BLOCK_TOKENS <= len(sequence.prompt_ids):
            self._offer(g, sequence.block_keys[i], block)

    def _demand(self, sequence: Sequence) -> list[int]:
        """Most blocks that a sequence holds at once for the tokens that it has and the next one."""
        return self._most(sequence.n_tokens + int(sequence.writes))

    def _most(self, n_tokens: int) -> list[int]:
        """Most blocks that a sequence of `n_tokens` holds at once (recurrent: the state and a checkpoint)."""
        return [
            2 if group.recurrent else most_blocks(n_tokens, group.window, self._n_chunk)
            for group in self.groups
        ]
