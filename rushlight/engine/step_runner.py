"""Scheduled chunks to a step of the executor, the short way where the batch is nearly the last one again."""

from __future__ import annotations

from array import array

from rushlight.backends.base import Executor, Float32Array, Int64Array
from rushlight.backends.batch import Batch
from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.engine.batch_builder import build_batch
from rushlight.engine.scheduler import Chunk
from rushlight.engine.sequence import Sequence
from rushlight.sampling import draw_of

_Decoding = list[tuple[Sequence, "list[array[int]]"]]
"""The sequences of a step that has one token of each, with their block tables."""


class StepRunner:
    """Runs steps, and remembers whose tokens the last one computed.

    While the same sequences decode and none of them begins a block, `Executor.advance` does: the blocks they
    see are among those of the last batch. A sequence that was preempted in between has new tables.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._last: _Decoding = []

    def run(self, chunks: list[Chunk]) -> Float32Array:
        """The logits of the chunks' outputs, one after the other: float32 [R, V]."""
        first, decoding = self._begin(chunks)
        logits = self._executor.step(first) if isinstance(first, Batch) else self._executor.advance(first)
        self._last = decoding
        return logits

    def decode(self, chunks: list[Chunk], n_steps: int, end_ids: Int64Array) -> list[list[int]]:
        """Up to `n_steps` steps, the first with these chunks, of one token each; see `Executor.decode`."""
        first, decoding = self._begin(chunks)
        draws = [draw_of(s.params, s.seed, s.n_generated, n_steps) for s, *_ in chunks]
        steps = self._executor.decode(first, n_steps, end_ids, draws if any(draws) else ())
        self._last = decoding
        return steps

    def _begin(self, chunks: list[Chunk]) -> tuple[Batch | list[int], _Decoding]:
        """What the executor takes for a step, and the sequences in it if another may follow."""
        last, self._last = self._last, []  # after an error, nothing follows
        if _follow(chunks, last):
            return [chunk.sequence.token_ids[chunk.start] for chunk in chunks], last
        decodes = all(chunk.n_outputs == chunk.n_tokens == 1 for chunk in chunks)
        decoding = [(chunk.sequence, chunk.sequence.block_tables) for chunk in chunks] if decodes else []
        return build_batch(chunks), decoding


def _follow(chunks: list[Chunk], last: _Decoding) -> bool:
    """Whether these chunks are the next tokens of the last step's sequences, all within their blocks."""
    return len(chunks) == len(last) and all(
        chunk.sequence is sequence
        and sequence.block_tables is tables
        and chunk.n_outputs == chunk.n_tokens == 1
        and chunk.start % BLOCK_TOKENS
        for chunk, (sequence, tables) in zip(chunks, last, strict=True)
    )
