"""One answer on its way from the engine's thread to the thread that asked for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue

from rushlight.completion import Chunk, Completion, timings_of, usage_of
from rushlight.digest import digest
from rushlight.engine.sequence import Sequence
from rushlight.errors import RushlightError
from rushlight.params import SamplingParams
from rushlight.sampling import Sampled, TokenLogprobs
from rushlight.text import TextStream, Tokenizer

_POLL_SECONDS = 0.1  # Windows delivers Ctrl-C only between waits


class Answer:
    """The `Listener` of a sequence: turns its tokens into text, and hands that over as chunks.

    Args:
        tokenizer: of the model.
        params: of the sequence; their stop strings end it.
        strip_prefix: see `TextStream`.
    """

    def __init__(self, tokenizer: Tokenizer, params: SamplingParams, strip_prefix: bool) -> None:
        self._called = time.perf_counter()
        self._n_vocab = tokenizer.n_vocab
        self._stream = TextStream(tokenizer, params.stop, strip_prefix=strip_prefix)
        self._texts: list[str] = []
        self._logprobs: list[TokenLogprobs] | None = None if params.logprobs is None else []
        self._queue: SimpleQueue[Chunk | Completion | BaseException] = SimpleQueue()
        self._end_only = False

    def token(self, sampled: Sampled) -> bool:
        """Hear of a token; True where its text completes a stop string."""
        token_id, logprobs = sampled.token_id, sampled.logprobs
        # Rows that a model has beyond its vocabulary have no text.
        text = self._stream.feed(token_id) if token_id < self._n_vocab else ""
        self._texts.append(text)
        if self._logprobs is not None and logprobs is not None:
            self._logprobs.append(logprobs)
        if not self._end_only:
            self._queue.put(Chunk(text, (token_id,), None if logprobs is None else (logprobs,)))
        return self._stream.stopped is not None

    def finished(self, sequence: Sequence) -> None:
        """Hear of the end."""
        if sequence.error is not None or sequence.finish_reason is None:
            return self._queue.put(sequence.error or RushlightError("The answer did not end."))
        if tail := self._stream.flush():
            self._texts.append(tail)
            self._queue.put(Chunk(tail))
        self._queue.put(
            Completion(
                text="".join(self._texts),
                token_ids=list(sequence.generated),
                finish_reason=sequence.finish_reason,
                usage=usage_of(sequence),
                logprobs=self._logprobs,
                seed=sequence.seed,
                timings=timings_of(sequence, self._called),
                digest=digest(sequence.prompt_ids, sequence.generated),
            )
        )

    def chunks(self) -> Iterator[Chunk]:
        """The chunks as they come, the last one included.

        Raises:
            RushlightError: what ended the sequence, if it was an error.
        """
        while not isinstance(item := self._next(), Completion):
            yield item
        yield Chunk(
            "",
            finish_reason=item.finish_reason,
            usage=item.usage,
            seed=item.seed,
            timings=item.timings,
            digest=item.digest,
        )

    def completion(self) -> Completion:
        """The whole answer, once it is there. Raises what `chunks` raises."""
        self._end_only = True  # spares a wake-up for every token
        while not isinstance(item := self._next(), Completion):
            pass
        return item

    def _next(self) -> Chunk | Completion:
        while True:
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            return item
