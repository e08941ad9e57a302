"""One answer on its way from the engine's thread to the thread that asked for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue

from rushlight.completion import Chunk, Completion, prompt_logprobs_of, timings_of, usage_of
from rushlight.digest import digest
from rushlight.engine.sequence import Sequence
from rushlight.errors import RushlightError
from rushlight.params import SamplingParams
from rushlight.sampling import Sampled, TokenLogprobs
from rushlight.text import TextStream, Tokenizer
from rushlight.text.answer_parts import AnswerParser, AnswerParts

Item = Chunk | Completion | BaseException
"""What an answer is handed over as: chunks, and at the end the whole or an error."""

_POLL_SECONDS = 0.1  # Windows delivers Ctrl-C only between waits


class Answer:
    """The `Listener` of a sequence: turns its tokens into text, and hands that over as chunks.

    Args:
        tokenizer: of the model.
        params: of the sequence; their stop strings end it.
        strip_prefix: see `TextStream`.
        parser: takes the text apart; None: all of it is text.
        shown: texts of control tokens that the parser has to see.
        deliver: called with each item instead of keeping it for `chunks`, by the thread that runs the engine.
        end_only: leave the chunks out.
        single_call: whether the answer ends with its first call of a tool.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        params: SamplingParams,
        strip_prefix: bool,
        parser: AnswerParser | None = None,
        shown: Iterable[str] = (),
        deliver: Callable[[Item], None] | None = None,
        end_only: bool = False,
        single_call: bool = False,
    ) -> None:
        self._called = time.perf_counter()
        self._n_vocab = tokenizer.n_vocab
        self._stream = TextStream(
            tokenizer, params.stop, strip_prefix=strip_prefix, shown=() if parser is None else shown
        )
        self._parser = parser
        self._single_call = single_call
        self._has_called = False
        self._parts: list[AnswerParts] = []
        self._logprobs: list[TokenLogprobs] | None = None if params.logprobs is None else []
        self._queue: SimpleQueue[Item] = SimpleQueue()
        self._deliver = deliver or self._queue.put
        self._end_only = end_only
        self._n_tokens = self._n_reasoning = 0

    def token(self, sampled: Sampled) -> bool:
        """Hear of a token; True where its text completes a stop string or the last call that is allowed."""
        token_id, logprobs = sampled.token_id, sampled.logprobs
        self._n_tokens += 1
        # Rows that a model has beyond its vocabulary have no text.
        parts = self._take(self._stream.feed(token_id) if token_id < self._n_vocab else "")
        if self._logprobs is not None and logprobs is not None:
            self._logprobs.append(logprobs)
        if not self._end_only:
            self._deliver(
                Chunk(
                    parts.text,
                    (token_id,),
                    None if logprobs is None else (logprobs,),
                    reasoning=parts.reasoning,
                    tool_calls=parts.tool_calls,
                    tool_deltas=parts.tool_deltas,
                )
            )
        return self._stream.stopped is not None or self._has_called

    def finished(self, sequence: Sequence) -> None:
        """Hear of the end."""
        if sequence.error is not None or sequence.finish_reason is None:
            return self._deliver(sequence.error or RushlightError("The answer did not end."))
        tail = self._take(self._stream.flush(), is_last=True)
        if any(tail) and not self._end_only:
            self._deliver(
                Chunk(
                    tail.text,
                    reasoning=tail.reasoning,
                    tool_calls=tail.tool_calls,
                    tool_deltas=tail.tool_deltas,
                )
            )
        calls = [call for parts in self._parts for call in parts.tool_calls]
        called = bool(calls) and sequence.finish_reason == "stop"
        self._deliver(
            Completion(
                text="".join(parts.text for parts in self._parts),
                reasoning="".join(parts.reasoning for parts in self._parts),
                tool_calls=calls,
                token_ids=list(sequence.generated),
                finish_reason="tool_calls" if called else sequence.finish_reason,
                usage=usage_of(sequence)._replace(reasoning_tokens=self._n_reasoning),
                logprobs=self._logprobs,
                prompt_logprobs=prompt_logprobs_of(sequence),
                seed=sequence.seed,
                timings=timings_of(sequence, self._called),
                digest=digest(sequence.prompt_ids, sequence.generated),
                stop_string=self._stream.stopped,
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
            prompt_logprobs=item.prompt_logprobs,
        )

    def completion(self) -> Completion:
        """The whole answer, once it is there. Raises what `chunks` raises."""
        self._end_only = True  # spares a wake-up for every token
        while not isinstance(item := self._next(), Completion):
            pass
        return item

    def _take(self, text: str, is_last: bool = False) -> AnswerParts:
        """The parts that more text makes certain."""
        if self._parser is None:
            parts = AnswerParts(text)
        else:
            parts = self._parser.feed(text)
            parts = parts.and_then(self._parser.flush()) if is_last else parts
        if self._single_call and (parts.tool_calls or self._has_called):
            parts = parts._replace(tool_calls=() if self._has_called else parts.tool_calls[:1])
            self._has_called = True
        if parts.reasoning:
            self._n_reasoning = self._n_tokens
        self._parts.append(parts)
        return parts

    def _next(self) -> Chunk | Completion:
        while True:
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            return item
