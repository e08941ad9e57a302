"""Scheduled chunks to a step of the executor, the short way where the batch is nearly the last one again."""

from __future__ import annotations

from array import array

from rushlight.backends.base import Executor, Float32Array
from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.engine.batch_builder import build_batch
from rushlight.engine.scheduler import Chunk
from rushlight.engine.sequence import Sequence

_Tables = list["array[int]"]


class StepRunner:
    """Runs steps, and remembers whose tokens the last one computed.

    While the same sequences decode and none of them begins a block, `Executor.advance` does: the blocks they
    see are among those of the last batch. A sequence that was preempted in between has new tables.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._last: list[tuple[Sequence, _Tables]] = []

    def run(self, chunks: list[Chunk]) -> Float32Array:
        """The logits of the chunks' outputs, one after the other: float32 [R, V]."""
        last = self._last if self._follow(chunks) else None
        self._last = []  # after an error, nothing follows
        if last is not None:
            logits = self._executor.advance([chunk.sequence.token_ids[chunk.start] for chunk in chunks])
            self._last = last
            return logits
        logits = self._executor.step(build_batch(chunks))
        if all(chunk.n_outputs == chunk.n_tokens == 1 for chunk in chunks):
            self._last = [(chunk.sequence, chunk.sequence.block_tables) for chunk in chunks]
        return logits

    def _follow(self, chunks: list[Chunk]) -> bool:
        """Whether these chunks are the next tokens of the last step's sequences, all within their blocks."""
        return len(chunks) == len(self._last) and all(
            chunk.sequence is sequence
            and sequence.block_tables is tables
            and chunk.n_outputs == chunk.n_tokens == 1
            and chunk.start % BLOCK_TOKENS
            for chunk, (sequence, tables) in zip(chunks, self._last, strict=True)
        )
