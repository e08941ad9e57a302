"""What was found, and the percentiles of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rushlight.bench.serve.plan import LoadPlan
from rushlight.bench.serve.reply import Reply

PERCENTILES = (50, 90, 99)


@dataclass(frozen=True)
class LoadResult:
    """The replies of a server to a load.

    Attributes:
        url, model: who was asked.
        plan: what was asked.
        replies: to its requests, in their order.
        seconds: from the first request to the last reply.
    """

    url: str
    model: str
    plan: LoadPlan
    replies: Sequence[Reply]
    seconds: float

    @property
    def done(self) -> list[Reply]:
        """The replies that are whole."""
        return [reply for reply in self.replies if reply.error is None]

    @property
    def errors(self) -> dict[str, int]:
        """What failed, and how often, the most frequent first."""
        return dict(Counter(r.error for r in self.replies if r.error is not None).most_common())

    def latencies(self) -> dict[str, list[float]]:
        """Seconds of the whole replies, by what they were taken for."""
        return {
            "time_to_first_token": _known(reply.time_to_first_token for reply in self.done),
            "time_per_output_token": _known(reply.time_per_output_token for reply in self.done),
            "request": [reply.last - reply.due for reply in self.done],
        }

    def as_dict(self) -> dict[str, Any]:
        """As ``rushlight bench serve --json`` writes it; times are seconds."""
        done = self.done
        n_prompt, n_answer = sum(r.n_prompt for r in done), sum(r.n_answer for r in done)
        return {
            "url": self.url,
            "model": self.model,
            "plan": asdict(self.plan),
            "seconds": self.seconds,
            "requests": len(self.replies),
            "done": len(done),
            "errors": self.errors,
            "prompt_tokens": n_prompt,
            "cached_tokens": sum(reply.n_cached for reply in done),
            "answer_tokens": n_answer,
            "requests_per_second": len(done) / self.seconds,
            "prompt_tokens_per_second": n_prompt / self.seconds,
            "answer_tokens_per_second": n_answer / self.seconds,
            **{name: percentiles(values) for name, values in self.latencies().items()},
        }


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """The mean and `PERCENTILES`, between two values in proportion; None where there are no values."""
    names = [f"p{p}" for p in PERCENTILES]
    if not values:
        return dict.fromkeys(["mean", *names])
    found = np.percentile(values, PERCENTILES)
    return {"mean": float(np.mean(values)), **dict(zip(names, map(float, found), strict=True))}


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
