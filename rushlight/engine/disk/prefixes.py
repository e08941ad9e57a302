"""The beginnings of prompts that are on disk, brought back to memory before a sequence starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rushlight.engine.disk.cache import DiskCache
from rushlight.engine.disk.fetch import BlockName, Fetch, FetchedBlock
from rushlight.engine.kv_blocks import NO_BLOCK, KVBlocks
from rushlight.engine.sequence import Sequence
from rushlight.engine.stats import Counters

_WAIT_SECONDS = 0.02

WriteBlock = Callable[[int, int, bytes], None]
"""Lets a block have a content: (group, block, content)."""


class _Running(NamedTuple):
    """A fetch that goes on, for whom, and how many blocks it was asked for."""

    sequence: Sequence
    fetch: Fetch
    n_wanted: int


class DiskPrefixes:
    """Fetches what the disk holds of a waiting sequence's beginning into the prefix cache in memory.

    One sequence at a time, in the order in which they start; steps go on meanwhile.

    Args:
        blocks: in memory.
        disk: the blocks on disk.
        write_block: of the executor.
        counters: of the engine.
    """

    def __init__(
        self, blocks: KVBlocks, disk: DiskCache, write_block: WriteBlock, counters: Counters
    ) -> None:
        self._blocks, self._disk, self._write_block = blocks, disk, write_block
        self._counters = counters
        self._running: _Running | None = None

    def fetch(self, sequence: Sequence) -> bool:
        """Bring a part of the sequence's beginning to memory; False while that goes on.

        `Sequence.is_fetched` says when there is no more. A part that does not leave less to be fetched was
        the last one: blocks may be damaged, or needed for others as soon as they are there.
        """
        running = self._running
        if running is None or running.sequence is not sequence:
            return self._begin(sequence, None)
        if not running.fetch.wait(0):
            return False
        self._restore(sequence, running.fetch.result())
        return self._begin(sequence, running.n_wanted)

    def wait(self) -> None:
        """Wait a moment for what is being fetched; there is nothing else to do."""
        if self._running is not None:
            self._running.fetch.wait(_WAIT_SECONDS)

    def _begin(self, sequence: Sequence, n_before: int | None) -> bool:
        wanted = self._wanted(sequence)
        if not wanted or (n_before is not None and len(wanted) >= n_before):
            self._running = None
            sequence.is_fetched = True
            return True
        self._running = _Running(sequence, self._disk.fetch(wanted), len(wanted))
        return False

    def _wanted(self, sequence: Sequence) -> list[BlockName]:
        """The blocks, first ones first, that let a sequence begin later than those in memory do."""
        blocks = self._blocks
        keys = blocks.prefix_keys(sequence)
        n = blocks.longest_prefix(keys, lambda g, key: blocks.has(g, key) or self._disk.has((g, key)))
        if n <= blocks.longest_prefix(keys, blocks.has):
            return []
        needed = sorted((i, g) for g in range(len(blocks.groups)) for i in blocks.needed(g, n))
        return [(g, keys[i]) for i, g in needed if not blocks.has(g, keys[i])]

    def _restore(self, sequence: Sequence, fetched: list[FetchedBlock]) -> None:
        """Put blocks into the prefix cache, without giving up what is there of the same prompt."""
        pools = self._blocks.pools
        prefix = self._blocks.find_prefix(sequence)
        held = [(g, b) for g, table in enumerate(prefix.tables) for b in table if b != NO_BLOCK]
        for g, block in held:
            pools[g].share(block)
        for (g, key), content in fetched:
            if not self._blocks.has(g, key) and pools[g].n_available:
                block = pools[g].allocate()
                self._write_block(g, block, content)
                pools[g].keep(block, key)
                held.append((g, block))
                self._counters.disk_blocks += 1
        for g, block in reversed(held):
            pools[g].release(block)
