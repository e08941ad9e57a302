"""Who runs in the next step: continuous batching, with prompts computed in chunks.

Within a budget of tokens, first come first served: the running sequences that need one token (decode), then
those whose tokens are not all computed yet (prefill), then waiting ones, while the blocks for all their
tokens are there. When blocks run out, the sequence that came last is preempted: its blocks are taken back,
and when it runs again its prompt and what it had generated are computed anew. Every running sequence came
before every waiting one, so the first of all always goes on and nobody starves.

Source: Orca (Yu et al. 2022), Sarathi-Serve (Agrawal et al. 2024) and vLLM's scheduler.
"""

from __future__ import annotations

from bisect import insort
from typing import NamedTuple

from rushlight.backends.base import Limits
from rushlight.engine.kv_blocks import KVBlocks
from rushlight.engine.sequence import Sequence, Status
from rushlight.engine.stats import Counters


class Chunk(NamedTuple):
    """The tokens of one sequence in a step.

    Attributes:
        sequence: whose.
        start, stop: its tokens ``start`` to ``stop - 1``.
        n_outputs: how many of them, the last ones, have their logits computed.
    """

    sequence: Sequence
    start: int
    stop: int
    n_outputs: int

    @property
    def n_tokens(self) -> int:
        """Tokens of the chunk."""
        return self.stop - self.start


class Scheduler:
    """The sequences that wait and those that run, each in order of arrival.

    Args:
        blocks: which the sequences take.
        limits: of a step.
        counters: of the engine.
    """

    def __init__(self, blocks: KVBlocks, limits: Limits, counters: Counters) -> None:
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self._blocks = blocks
        self._limits = limits
        self._counters = counters
        self._plan: dict[Sequence, Chunk] = {}
        self._n_tokens_left = 0
        self._n_rows_left = 0

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait for its turn."""
        insort(self.waiting, sequence, key=lambda s: s.arrival)

    def remove(self, sequence: Sequence) -> None:
        """Take a sequence out, and its blocks back."""
        (self.running if sequence.status is Status.RUNNING else self.waiting).remove(sequence)
        self._blocks.free(sequence)

    def schedule(self) -> list[Chunk]:
        """The chunks of the next step, at least one if any sequence waits or runs, and no sequence twice."""
        self._plan = {}
        self._n_tokens_left = self._limits.n_tokens
        # One row of logits is kept for each sequence.
        self._n_rows_left = self._limits.n_outputs - self._limits.n_sequences
        n_running = len(self.running)
        for sequence in sorted(self.running, key=lambda s: (s.n_tokens - s.n_computed > 1, s.arrival)):
            if sequence.status is Status.RUNNING and self._n_tokens_left:
                self._plan_chunk(sequence)
        if self.waiting and len(self.running) == n_running:
            self._admit()
        return list(self._plan.values())

    def _admit(self) -> None:
        """Start waiting sequences while there is room for them."""
        while self.waiting and self._n_tokens_left and len(self.running) < self._limits.n_sequences:
            sequence = self.waiting[0]
            prefix = self._blocks.find_prefix(sequence)
            if not self._blocks.can_start(sequence, prefix):
                return
            self._blocks.start(sequence, prefix)
            if sequence.n_cached is None:
                sequence.n_cached = prefix.n_tokens
                self._counters.prompt_tokens += len(sequence.prompt_ids)
                self._counters.cached_tokens += prefix.n_tokens
            self.waiting.pop(0)
            self.running.append(sequence)
            sequence.status = Status.RUNNING
            self._plan_chunk(sequence)

    def _plan_chunk(self, sequence: Sequence) -> None:
        """Plan the sequence's next chunk, preempting those that came after it, or itself, for blocks."""
        start = sequence.n_computed
        stop = min(start + self._n_tokens_left, self._blocks.next_edge(sequence))
        first_output = max(start, sequence.first_output)
        stop = min(stop, first_output + self._n_rows_left + 1)
        while not self._blocks.reserve(sequence, stop):
            last = self.running[-1]
            self._preempt(last)
            if last is sequence:
                return
        n_outputs = max(0, stop - first_output)
        self._plan[sequence] = Chunk(sequence, start, stop, n_outputs)
        self._n_tokens_left -= stop - start
        self._n_rows_left -= max(0, n_outputs - 1)

    def _preempt(self, sequence: Sequence) -> None:
        self._counters.preemptions += 1
        self.remove(sequence)
        if (chunk := self._plan.pop(sequence, None)) is not None:
            self._n_tokens_left += chunk.n_tokens
            self._n_rows_left += max(0, chunk.n_outputs - 1)
        sequence.status = Status.WAITING
        self.add(sequence)
