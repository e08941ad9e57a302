"""One prompt and what has been generated from it."""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, Protocol

from rushlight.backends.base import Float32Array
from rushlight.drawing import IdArray
from rushlight.params import SamplingParams
from rushlight.sampling import Sampled, TokenLogprobs, is_plain

FinishReason = Literal["stop", "length", "abort", "error", "tool_calls"]
"""stop: an end token or a stop string; length: `max_tokens` or the end of the context; tool_calls: a stop
after calls of tools, which only who reads the answer can tell."""


class Status(Enum):
    """Where a sequence stands. A preempted one waits again."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


class Listener(Protocol):
    """Who hears of a sequence's progress, in the thread that runs the engine."""

    def token(self, sampled: Sampled) -> bool:
        """A token was generated; True ends the sequence with "stop"."""
        ...

    def finished(self, sequence: Sequence) -> None:
        """The sequence is finished and holds no blocks any more."""
        ...


class Matcher(Protocol):
    """Says which tokens a sequence's constraint allows next; see `rushlight.constrain`."""

    @property
    def is_complete(self) -> bool:
        """Whether the text so far matches and no more may follow."""
        ...

    def allowed(self, ends: bool) -> IdArray:
        """The ids that may come next, ascending, at least one; see `rushlight.constrain.Matcher.allowed`."""
        ...

    def advance(self, token_id: int) -> None:
        """Take in the token that was chosen."""
        ...


@dataclass
class Times:
    """Moments of a sequence's life, in seconds of `time.perf_counter`; 0 before they come."""

    submitted: float = field(default_factory=time.perf_counter)
    first_token: float = 0.0
    finished: float = 0.0


@dataclass(eq=False, repr=False)
class Sequence:
    """One prompt, what was generated from it, and the blocks that hold its keys and values.

    Attributes:
        prompt_ids: the prompt.
        params: how to sample; `seed` is the one in use.
        prompt_logits: the logits after the prompt's tokens from `n_read` on are wanted, nothing is generated.
        matcher: holds it to a constraint; it has followed the generated tokens, preempted or not.
        arrival: its place in the queue, lower first; -1 before it is submitted.
        token_ids: prompt and generated tokens; `append` adds one.
        generated: the generated tokens.
        n_read: how many of the prompt's tokens gave the rows that `reads_prompt` wants.
        n_computed: how many tokens have their keys and values in blocks.
        n_cached: how many of them were found in the prefix cache when the sequence first ran.
        block_tables: one a cache group, as in `Batch.block_tables`; of a group with a window the blocks
            that slid out are -1, and `n_slid` counts them.
        block_keys: content keys of the leading full blocks, as far as they were needed.
        moving_key: of the copies of its states that move along as it writes, see `engine.checkpoints`.
        is_fetched: what the disk holds of its beginning was brought to memory.
        n_kept: full blocks already offered to the prefix cache.
        finish_reason: why it ended, None before.
        error: what went wrong where that is "error".
        logit_rows: the rows gathered for `prompt_logits`, float32 [n, V] each.
        reads_prompt: whether the logits after the prompt's tokens are wanted.
        writes: whether tokens are to be generated.
        is_plain: whether `Executor.decode` can choose them; see `sampling.is_plain`.
        prompt_logprobs: what `SamplingParams.prompt_logprobs` asks for, as far as it is computed; the first
            token has none.
    """

    prompt_ids: tuple[int, ...]
    params: SamplingParams
    seed: int
    listener: Listener | None = None
    prompt_logits: bool = False
    matcher: Matcher | None = None
    arrival: int = -1
    status: Status = Status.WAITING
    token_ids: list[int] = field(default_factory=list)
    generated: list[int] = field(default_factory=list)
    n_read: int = 0
    n_computed: int = 0
    n_cached: int | None = None
    block_tables: list[array[int]] = field(default_factory=list)
    n_slid: list[int] = field(default_factory=list)
    block_keys: list[bytes] = field(default_factory=list)
    moving_key: bytes | None = None
    is_fetched: bool = False
    n_kept: int = 0
    finish_reason: FinishReason | None = None
    error: BaseException | None = None
    logit_rows: list[Float32Array] = field(default_factory=list)
    prompt_logprobs: list[TokenLogprobs | None] = field(default_factory=lambda: [None])
    times: Times = field(default_factory=Times)
    reads_prompt: bool = field(init=False)
    writes: bool = field(init=False)
    is_plain: bool = field(init=False)

    def __post_init__(self) -> None:
        self.token_ids = list(self.prompt_ids)
        self.reads_prompt = self.prompt_logits or self.params.prompt_logprobs is not None
        self.writes = not self.prompt_logits and self.params.max_tokens != 0
        self.is_plain = self.writes and self.matcher is None and is_plain(self.params)

    @property
    def n_tokens(self) -> int:
        """Prompt and generated tokens."""
        return len(self.token_ids)

    @property
    def first_output(self) -> int:
        """The first token whose logits are still wanted: one of the prompt, or else the last of all."""
        is_reading = self.reads_prompt and self.n_read < len(self.prompt_ids)
        return self.n_read if is_reading else self.n_tokens - 1

    @property
    def n_generated(self) -> int:
        """How many tokens were generated."""
        return len(self.generated)

    def append(self, token_id: int) -> None:
        """Add a generated token."""
        self.token_ids.append(token_id)
        self.generated.append(token_id)
