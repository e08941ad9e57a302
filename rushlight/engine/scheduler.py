"""Who runs in the next step: continuous batching, with prompts computed in chunks.

A step takes one token of every running sequence that has all others computed (decode), and pieces of the
prompts of the rest (prefill). Waiting sequences start in order of arrival, while the blocks for all their
tokens are there besides those that the running ones still need. When blocks run out nevertheless, the
sequence that came last is preempted: its blocks are taken back, and when it runs again its prompt and what it
had generated are computed anew. Every running sequence came before every waiting one, so the first of all
always goes on and nobody starves.

How much of prompts a step takes is a matter of time (`Pace`): on a slow model 512 tokens are many seconds, in
which no stream would move. Who gets it is a matter of fairness (`prompt_shares`). No result depends on
either. On a machine that takes 5 ms for a step and 5 ms for each of its tokens (simulated), a prompt of 4,096
tokens lets streams stand still for 0.21 s at most, where steps of 512 tokens make it 2.6 s; a prompt of 20
tokens that comes behind it has its first word after 0.2 s instead of 2.6; the long prompt is done after 23.8
s instead of 22.8.

Where a model is not causal, a sequence is computed in the one step that holds all of it.

Source: Orca (Yu et al. 2022), Sarathi-Serve (Agrawal et al. 2024) and vLLM's scheduler.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, NamedTuple

from rushlight.backends.base import Limits
from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.engine.kv_blocks import KVBlocks
from rushlight.engine.pace import Pace
from rushlight.engine.sequence import Sequence, Status
from rushlight.engine.shares import prompt_shares
from rushlight.engine.stats import Counters

if TYPE_CHECKING:
    from rushlight.engine.disk.prefixes import DiskPrefixes


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
    """Who waits, who runs, and what of them the next step computes.

    Args:
        blocks: which the sequences take.
        limits: of a step.
        pace: how much of prompts a step takes.
        counters: of the engine.
        disk: fetches beginnings of prompts; None: there is no cache on disk.
        whole_sequences: a step holds all of a sequence or nothing.

    Attributes:
        waiting, running: the sequences, each in order of arrival.
        prefills: whether the planned step computes more than the last token of each of its sequences.
    """

    def __init__(
        self,
        blocks: KVBlocks,
        limits: Limits,
        pace: Pace,
        counters: Counters,
        disk: DiskPrefixes | None = None,
        whole_sequences: bool = False,
    ) -> None:
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self.prefills = False
        self._blocks = blocks
        self._limits = limits
        self._pace = pace
        self._disk = disk
        self._counters = counters
        self._whole_sequences = whole_sequences
        self._plan: dict[Sequence, Chunk] = {}
        self._n_rows_left = 0
        self._turn = 0

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait for its turn."""
        insort(self.waiting, sequence, key=lambda s: s.arrival)

    def remove(self, sequence: Sequence) -> None:
        """Take a sequence out, and its blocks back."""
        (self.running if sequence.status is Status.RUNNING else self.waiting).remove(sequence)
        self._blocks.free(sequence)

    def schedule(self) -> list[Chunk]:
        """The chunks of the next step, and no sequence twice.

        There is one at least if any sequence waits or runs, unless the first to run is being fetched from
        disk.
        """
        self._plan = {}
        self._turn += 1
        # One row of logits is kept for each sequence.
        self._n_rows_left = self._limits.n_outputs - self._limits.n_sequences
        n_running = len(self.running)
        for sequence in self.running.copy():
            start = sequence.n_computed
            if sequence.status is Status.RUNNING and sequence.n_tokens - start == 1:
                if start % BLOCK_TOKENS:  # within blocks that it has
                    self._plan[sequence] = Chunk(sequence, start, start + 1, 1)
                else:
                    self._plan_chunk(sequence, 1)
        if self.waiting and len(self.running) == n_running:
            self._admit()
        prefilling = [sequence for sequence in self.running if sequence not in self._plan]
        self.prefills = bool(prefilling)
        if prefilling:
            self._plan_prompts(prefilling)
        return list(self._plan.values())

    def note(self, chunks: list[Chunk], seconds: float) -> None:
        """Learn how long the step with these chunks took."""
        n_tokens = sum(chunk.n_tokens for chunk in chunks if chunk.n_tokens > 1)
        self._pace.note(n_tokens, seconds, alone=len(chunks) == 1)

    def _admit(self) -> None:
        """Start waiting sequences while there is room for them."""
        while self.waiting and len(self.running) < self._limits.n_sequences:
            sequence = self.waiting[0]
            if self._whole_sequences and self.running and not self._has_room_for_all_of(sequence):
                return
            prefix = self._blocks.find_prefix(sequence)
            if not self._blocks.can_start(sequence, prefix, self.running):
                return
            if self._disk is not None and not sequence.is_fetched:
                if not self._disk.fetch(sequence):
                    return
                continue  # with what is in memory now
            self._blocks.start(sequence, prefix)
            if sequence.n_cached is None:
                sequence.n_cached = prefix.n_tokens
                self._counters.prompt_tokens += len(sequence.prompt_ids)
                self._counters.cached_tokens += prefix.n_tokens
            self.waiting.pop(0)
            self.running.append(sequence)
            sequence.status = Status.RUNNING

    def _has_room_for_all_of(self, sequence: Sequence) -> bool:
        """Whether a step may hold a sequence besides those that run, whole ones all."""
        n_tokens = sequence.n_tokens + sum(other.n_tokens for other in self.running)
        return n_tokens <= min(self._limits.n_tokens, self._pace.n_tokens(alone=False))

    def _plan_prompts(self, prefilling: list[Sequence]) -> None:
        """Plan chunks of prompts, in order of arrival, within what the step has left."""
        alone = len(self._plan) + len(prefilling) == 1
        budget = min(self._limits.n_tokens - len(self._plan), self._pace.n_tokens(alone=alone))
        wanted = [s.n_tokens - s.n_computed for s in prefilling]
        shares = wanted if self._whole_sequences else self._shares(prefilling, wanted, budget)
        for sequence, n_tokens in zip(prefilling, shares, strict=True):
            if n_tokens and sequence.status is Status.RUNNING:
                self._plan_chunk(sequence, n_tokens)
        if not self._plan:  # those who had a share found no blocks
            self._plan_chunk(prefilling[0], budget)

    def _shares(self, prefilling: list[Sequence], wanted: list[int], budget: int) -> list[int]:
        """The tokens of each; where rows of all of them are wanted, the rows of a step are shared alike."""
        shares = prompt_shares(wanted, budget, self._turn)
        if readers := [i for i, sequence in enumerate(prefilling) if sequence.reads_prompt]:
            rows = prompt_shares([wanted[i] for i in readers], self._n_rows_left + 1, self._turn)
            for i, n_rows in zip(readers, rows, strict=True):
                shares[i] = min(shares[i], n_rows)
        return shares

    def _plan_chunk(self, sequence: Sequence, n_tokens: int) -> None:
        """Plan at most `n_tokens`, preempting those that came after the sequence, or itself, for blocks."""
        start = sequence.n_computed
        stop = min(start + n_tokens, self._blocks.next_edge(sequence))
        first_output = max(start, sequence.first_output)
        stop = min(stop, first_output + self._n_rows_left + 1)
        while not self._blocks.reserve(sequence, stop):
            last = self.running[-1]
            self._preempt(last)
            if last is sequence:
                return
        n_outputs = max(0, stop - first_output)
        self._plan[sequence] = Chunk(sequence, start, stop, n_outputs)
        self._n_rows_left -= max(0, n_outputs - 1)

    def _preempt(self, sequence: Sequence) -> None:
        self._counters.preemptions += 1
        self.remove(sequence)
        if (chunk := self._plan.pop(sequence, None)) is not None:
            self._n_rows_left += max(0, chunk.n_outputs - 1)
        sequence.status, sequence.is_fetched = Status.WAITING, False
        self.add(sequence)
