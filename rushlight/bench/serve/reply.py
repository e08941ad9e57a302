"""One request on its way: its words, and when they came."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from rushlight.bench.serve.api import Api
from rushlight.errors import ServerFailure


@dataclass(frozen=True)
class Reply:
    """What came back. Moments are of `time.perf_counter`.

    Attributes:
        text: the answer, with what the model thought before it.
        finish_reason: why it ended; None with an error.
        n_prompt, n_cached, n_answer: tokens, as the server counts them.
        due: when the request arrived, which is when it was sent unless it had to wait on this side.
        first: when the first text came; None if none did.
        last: when the last text came, or the error.
        error: what failed, or None.
    """

    text: str
    finish_reason: str | None
    n_prompt: int
    n_cached: int
    n_answer: int
    due: float
    first: float | None
    last: float
    error: str | None = None

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds until the first text."""
        return None if self.first is None else self.first - self.due

    @property
    def time_per_output_token(self) -> float | None:
        """Seconds a token after the first text; None if there were fewer than two tokens."""
        if self.first is None or self.n_answer < 2:
            return None
        return (self.last - self.first) / (self.n_answer - 1)


def ask(api: Api, path: str, body: dict[str, Any], due: float | None = None) -> Reply:
    """Send a request and read its answer to the end; a failure is in the reply.

    Args:
        api: of the server.
        path: of OpenAI's chat completions or completions.
        body: with "stream", and "include_usage" among the "stream_options".
        due: when the request arrived, if it waited until now.
    """
    due = time.perf_counter() if due is None else due
    pieces: list[str] = []
    first: float | None = None
    usage: dict[str, Any] = {}
    last, finish_reason, error = due, None, None
    try:
        for arrived, event in api.stream(path, body):
            usage = event.get("usage") or usage
            for choice in event.get("choices") or ():
                finish_reason = choice.get("finish_reason") or finish_reason
                if piece := text_of(choice):
                    pieces.append(piece)
                    first = arrived if first is None else first
                    last = arrived
        if finish_reason is None:
            error = "the answer has no finish_reason"
    except ServerFailure as failure:
        error, last = str(failure), time.perf_counter()
    return Reply(
        text="".join(pieces),
        finish_reason=None if error else finish_reason,
        n_prompt=int(usage.get("prompt_tokens") or 0),
        n_cached=int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0),
        n_answer=int(usage.get("completion_tokens") or 0),
        due=due,
        first=first,
        last=last,
        error=error,
    )


def text_of(choice: dict[str, Any]) -> str:
    """The text in a streamed choice, with what the model thinks."""
    delta = choice.get("delta") or {}
    parts = (delta.get("reasoning_content"), delta.get("reasoning"), delta.get("content"), choice.get("text"))
    return "".join(part for part in parts if isinstance(part, str))
