"""What a step gave, taken into its sequences: the next tokens, and the ends."""

from __future__ import annotations

import time
from collections.abc import Collection

from rushlight.backends.base import Executor, Float32Array
from rushlight.engine.kv_blocks import KVBlocks
from rushlight.engine.prompt_rows import read_prompt
from rushlight.engine.scheduler import Chunk, Scheduler
from rushlight.engine.sequence import FinishReason, Sequence, Status
from rushlight.engine.stats import Counters
from rushlight.row_math import Argmax
from rushlight.sampling import Sampled, not_finite, sample


class Generation:
    """Lets sequences go on, or end.

    Args:
        executor: which computed the step.
        blocks, scheduler: whose sequences they are.
        counters: of the engine.
        eog_ids: tokens that end an answer.
        n_ctx: most tokens of a sequence.
    """

    def __init__(
        self,
        executor: Executor,
        blocks: KVBlocks,
        scheduler: Scheduler,
        counters: Counters,
        eog_ids: Collection[int],
        n_ctx: int,
    ) -> None:
        self._executor, self._blocks, self._scheduler = executor, blocks, scheduler
        self._counters, self._eog_ids, self._n_ctx = counters, eog_ids, n_ctx

    def take(self, chunks: list[Chunk], logits: Float32Array, argmax: list[Argmax]) -> None:
        """Take in what a step gave: the logits of the chunks' outputs, one after the other."""
        self._counters.steps += 1
        end = 0
        for chunk in chunks:
            start, end = end, end + chunk.n_outputs
            self._commit(chunk.sequence, chunk.stop, chunk.n_tokens)
            try:
                self._go_on(chunk, logits[start:end], argmax[start:end])
            except Exception as error:
                self.fail(chunk.sequence, error)

    def take_steps(self, chunks: list[Chunk], steps: list[list[int]]) -> None:
        """Take in the tokens of several steps, as `Executor.decode` gives them.

        What comes behind the end of a sequence is thrown away.
        """
        self._counters.steps += len(steps)
        for i, tokens in enumerate(steps):
            for s, chunk in enumerate(chunks):
                sequence = chunk.sequence
                if sequence.status is not Status.RUNNING:
                    continue
                self._commit(sequence, chunk.stop + i, 1)
                try:
                    if tokens[s] < 0:
                        raise not_finite(self._executor.logits()[s])
                    self._append(sequence, Sampled(tokens[s]))
                except Exception as error:
                    self.fail(sequence, error)

    def fail(self, sequence: Sequence, error: BaseException) -> None:
        """End a sequence with "error", if it has not ended."""
        if sequence.status is not Status.FINISHED:
            sequence.error = error
            self.finish(sequence, "error")

    def finish(self, sequence: Sequence, reason: FinishReason) -> None:
        """End a sequence that waits or runs, and take its blocks back."""
        self._scheduler.remove(sequence)
        sequence.status = Status.FINISHED
        sequence.finish_reason = reason
        self._counters.finished[reason] += 1
        sequence.times.finished = time.perf_counter()
        if sequence.listener is not None:
            sequence.listener.finished(sequence)

    def _commit(self, sequence: Sequence, stop: int, n_tokens: int) -> None:
        """Note that the last `n_tokens` below `stop` are computed."""
        self._blocks.commit(sequence, stop)
        self._counters.computed_tokens += n_tokens

    def _go_on(self, chunk: Chunk, logits: Float32Array, argmax: list[Argmax]) -> None:
        """Do with the rows of a chunk what its sequence wants."""
        sequence = chunk.sequence
        if sequence.reads_prompt and argmax and sequence.n_read < len(sequence.prompt_ids):
            read_prompt(sequence, chunk.stop, logits, argmax, self._executor.row_math)
        if chunk.stop < sequence.n_tokens:
            return
        if sequence.writes:
            self._append(sequence, self._sample(sequence, logits[-1], argmax[-1]))
        else:
            self.finish(sequence, "stop" if sequence.prompt_logits else "length")

    def _sample(self, sequence: Sequence, logits: Float32Array, argmax: Argmax) -> Sampled:
        """The next token of a sequence."""
        params, matcher = sequence.params, sequence.matcher
        row_math = self._executor.row_math
        allowed = None if matcher is None else matcher.allowed(ends=not params.ignore_eos)
        return sample(logits, params, sequence.generated, sequence.seed, argmax, row_math, allowed)

    def _append(self, sequence: Sequence, sampled: Sampled) -> None:
        """Let a token follow, and end the sequence where it must."""
        params, listener, matcher = sequence.params, sequence.listener, sequence.matcher
        sequence.append(sampled.token_id)
        self._counters.generated_tokens += 1
        if sequence.n_generated == 1:
            sequence.times.first_token = time.perf_counter()
        if listener is not None and listener.token(sampled):
            return self.finish(sequence, "stop")
        ends = sampled.token_id in self._eog_ids and (matcher is not None or not params.ignore_eos)
        if matcher is not None and not ends:
            matcher.advance(sampled.token_id)
            ends = matcher.is_complete
        if ends:
            self.finish(sequence, "stop")
        elif sequence.n_generated == params.max_tokens or sequence.n_tokens == self._n_ctx:
            self.finish(sequence, "length")
