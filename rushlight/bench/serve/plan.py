"""What a server is asked, and when: drawn from a seed, so that two servers can be asked the same."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any, NamedTuple

from rushlight.bench.serve.words import WORDS
from rushlight.errors import InvalidParameter


class Range(NamedTuple):
    """From the least to the most, both included."""

    low: int
    high: int


PROMPT, ANSWER = Range(32, 512), Range(16, 128)


class LoadRequest(NamedTuple):
    """One request.

    Attributes:
        due: seconds after the start at which it arrives; 0 without a rate.
        prompt: its text.
        n_answer: tokens of its answer.
        seed: of its random numbers.
    """

    due: float
    prompt: str
    n_answer: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class LoadPlan:
    """A load.

    Attributes:
        n_requests: how many.
        rate: of a Poisson process, requests a second; None: each begins as soon as another one ends.
        concurrency: most requests in flight, more wait here; None: 16 without a rate, no limit with one.
        prompt: words of a prompt, about as many tokens; drawn evenly on a logarithmic scale.
        answer: tokens of an answer, drawn likewise.
        chat: ask ``/v1/chat/completions``, else ``/v1/completions``.
        ignore_eos: ask for answers of exactly these lengths; a server must know ``ignore_eos`` for it.
        temperature: of the answers.
        seed: of everything drawn.
        timeout: most seconds without a word from the server.

    Raises:
        InvalidParameter: a value outside its range.
    """

    n_requests: int = 100
    rate: float | None = None
    concurrency: int | None = None
    prompt: Range = PROMPT
    answer: Range = ANSWER
    chat: bool = True
    ignore_eos: bool = True
    temperature: float = 1.0
    seed: int = 0
    timeout: float = 600.0

    def __post_init__(self) -> None:
        for name, value in (("n_requests", self.n_requests), ("concurrency", self.concurrency)):
            if value is not None and value < 1:
                raise InvalidParameter(f"{name} is {value}; it must be at least 1.")
        for name, number in (("rate", self.rate), ("timeout", self.timeout)):
            if number is not None and not 0 < number < math.inf:
                raise InvalidParameter(f"{name} is {number:g}; it must be greater than 0.")
        if not 0 <= self.temperature < math.inf:
            raise InvalidParameter(f"temperature is {self.temperature:g}; it must be at least 0.")
        for name, (low, high) in (("prompt", self.prompt), ("answer", self.answer)):
            if not 1 <= low <= high:
                raise InvalidParameter(f"{name} is {low}:{high}; it must be LOW:HIGH, with 1 <= LOW <= HIGH.")

    @property
    def n_in_flight(self) -> int:
        """Most requests at once."""
        free = self.n_requests if self.rate is not None else 16
        return min(self.concurrency or free, self.n_requests)

    def requests(self) -> list[LoadRequest]:
        """The requests in the order in which they arrive."""
        draw = random.Random(self.seed)
        due, found = 0.0, []
        for _ in range(self.n_requests):
            due += draw.expovariate(self.rate) if self.rate is not None else 0.0
            words = draw.choices(WORDS, k=_drawn(draw, self.prompt))
            found.append(LoadRequest(due, " ".join(words), _drawn(draw, self.answer), draw.getrandbits(32)))
        return found

    @property
    def path(self) -> str:
        """Where requests go."""
        return "/v1/chat/completions" if self.chat else "/v1/completions"

    def body(self, request: LoadRequest, model: str) -> dict[str, Any]:
        """A request as JSON."""
        asked = {"messages": [{"role": "user", "content": request.prompt}]} if self.chat else {}
        return {
            **(asked or {"prompt": request.prompt}),
            "model": model,
            "max_tokens": request.n_answer,
            "temperature": self.temperature,
            "seed": request.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
            **({"ignore_eos": True} if self.ignore_eos else {}),
        }


def _drawn(draw: random.Random, range: Range) -> int:
    return min(range.high, int(math.exp(draw.uniform(math.log(range.low), math.log(range.high + 1)))))
