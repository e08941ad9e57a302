"""What generation gives back: pieces of an answer as they come, and the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rushlight.engine.sequence import FinishReason, Sequence
from rushlight.sampling import TokenLogprobs

if TYPE_CHECKING:
    from rushlight.text.answer_parts import ToolCall, ToolDelta


class Usage(NamedTuple):
    """How many tokens a request took.

    Attributes:
        prompt_tokens: tokens of the prompt.
        completion_tokens: tokens generated, the end token included.
        cached_tokens: those of the prompt that were found in the prefix cache.
        reasoning_tokens: those generated until the model had thought.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion."""
        return self.prompt_tokens + self.completion_tokens


class Timings(NamedTuple):
    """How long a request took, in seconds.

    Attributes:
        prompt_tokens: tokens of the prompt that were computed, so without cached ones.
        prompt_seconds: from joining the queue to the first token.
        completion_tokens: tokens generated; the first comes out of the prompt's last step.
        completion_seconds: from the first token to the end.
        time_to_first_token: from the call to the first token, tokenization included.
    """

    prompt_tokens: int
    prompt_seconds: float
    completion_tokens: int
    completion_seconds: float
    time_to_first_token: float


class Submission(NamedTuple):
    """A request that was submitted.

    Attributes:
        prompt_tokens: tokens of its prompt.
        abort: ends it before the next step, with the finish reason "abort"; does nothing once it has ended.
    """

    prompt_tokens: int
    abort: Callable[[], None]


class Chunk(NamedTuple):
    """A piece of an answer. The last one has no token and says how the answer ended.

    Attributes:
        text: what became certain: whole characters only, and nothing that may begin a stop string.
        reasoning: of a model that thinks before it answers, what it thought; it is in no `text`.
        tool_calls: the calls of tools that became complete, as OpenAI's API writes them: dicts with an "id",
            the "type" "function", and the "function" with its "name" and its "arguments" as JSON text.
        tool_deltas: calls of tools as they come, each with the `index` of the call in the answer, its `id`
            and `name` in its first one, and a piece of its `arguments`. The pieces of a call that becomes
            complete are its arguments; one that proves malformed never does, and comes as text too.
        token_ids: the tokens generated since the last chunk.
        logprobs: their log probabilities, if `SamplingParams.logprobs` asks for them.
        finish_reason: "stop" (an end token or a stop string), "tool_calls" (the same, after calls of tools),
            "length" (`max_tokens` or the end of the context) or "abort"; None before the last chunk, as are
            the rest.
        usage: tokens used.
        seed: the seed in use, the drawn one if none was given.
        timings: seconds used.
        digest: of the prompt's and the answer's tokens, see `rushlight.digest`; equal where these are.
        prompt_logprobs: the log probabilities of the prompt's tokens, if `SamplingParams.prompt_logprobs`
            asks for them; of the first token None.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprobs, ...] | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    seed: int | None = None
    timings: Timings | None = None
    digest: str | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    prompt_logprobs: list[TokenLogprobs | None] | None = None
    tool_deltas: tuple[ToolDelta, ...] = ()


class Completion(NamedTuple):
    """An answer; see `Chunk` for its parts.

    `token_ids` ends with the end token if there was one; `stop_string` is the one that ended it, if one did.
    """

    text: str
    token_ids: list[int]
    finish_reason: FinishReason
    usage: Usage
    logprobs: list[TokenLogprobs] | None
    seed: int
    timings: Timings
    digest: str
    reasoning: str = ""
    tool_calls: list[ToolCall] = []  # noqa: RUF012  # never changed
    prompt_logprobs: list[TokenLogprobs | None] | None = None
    stop_string: str | None = None


def usage_of(sequence: Sequence) -> Usage:
    """The tokens that a finished sequence used."""
    return Usage(len(sequence.prompt_ids), sequence.n_generated, sequence.n_cached or 0)


def prompt_logprobs_of(sequence: Sequence) -> list[TokenLogprobs | None] | None:
    """Those of a finished sequence, None where nobody asked for them."""
    return None if sequence.params.prompt_logprobs is None else sequence.prompt_logprobs


def timings_of(sequence: Sequence, called: float) -> Timings:
    """The times of a finished sequence, asked for at the moment `called`."""
    times, usage = sequence.times, usage_of(sequence)
    first_token = times.first_token or times.finished
    return Timings(
        prompt_tokens=usage.prompt_tokens - usage.cached_tokens,
        prompt_seconds=first_token - times.submitted,
        completion_tokens=usage.completion_tokens,
        completion_seconds=times.finished - first_token,
        time_to_first_token=first_token - called,
    )
