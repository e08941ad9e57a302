"""One answer on its way to standard output, and what is told about it afterwards."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rushlight.cli.output import say
from rushlight.digest import SHOWN

if TYPE_CHECKING:
    from rushlight.cli.display import Display
    from rushlight.llm import Chunk


@dataclass
class Answer:
    """The chunks of one answer, put together.

    Attributes:
        text: all text so far.
        reasoning: what the model thought before it answered.
        token_ids: all tokens so far.
        last: the last chunk, which carries the usage, the seed and the timings; None before the end.
    """

    text: str = ""
    reasoning: str = ""
    token_ids: list[int] = field(default_factory=list)
    last: Chunk | None = None

    def take(self, chunks: Generator[Chunk, None, None], display: Display | None) -> None:
        """Add chunks as they come. However it ends, `chunks` and the display are closed.

        Args:
            chunks: of the answer.
            display: shows them at once; None: nothing does.
        """
        with closing(chunks), _ended(display):
            for chunk in chunks:
                if display is not None and chunk.reasoning:
                    display.thought(chunk.reasoning)
                if display is not None and chunk.text:
                    display.text(chunk.text)
                self.text += chunk.text
                self.reasoning += chunk.reasoning
                self.token_ids += chunk.token_ids
                if chunk.finish_reason is not None:
                    self.last = chunk

    def as_dict(self) -> dict[str, Any]:
        """The answer as ``rushlight run --json`` writes it; times are seconds."""
        found: dict[str, Any] = {
            "text": self.text,
            "reasoning": self.reasoning,
            "token_ids": self.token_ids,
        }
        if self.last is None or self.last.usage is None or self.last.timings is None:
            return found
        usage, timings = self.last.usage, self.last.timings
        return found | {
            "finish_reason": self.last.finish_reason,
            "seed": self.last.seed,
            "digest": self.last.digest,
            "usage": {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens},
            "timings": {
                "prompt_tokens": timings.prompt_tokens,
                "prompt_seconds": timings.prompt_seconds,
                "completion_tokens": timings.completion_tokens,
                "completion_seconds": timings.completion_seconds,
                "time_to_first_token": timings.time_to_first_token,
            },
        }

    def report(self, *, load_seconds: float | None = None) -> None:
        """Write the seed and the timings to standard error."""
        if self.last is None or self.last.timings is None:
            return
        t = self.last.timings
        say(f"seed         {self.last.seed}")
        if load_seconds is not None:
            say(f"load         {load_seconds:.2f} s")
        speed = rate(t.prompt_tokens, t.prompt_seconds)
        say(f"prompt       {t.prompt_tokens} tokens in {t.prompt_seconds:.2f} s{speed}")
        # The first token comes out of the prompt's own step, so the steps after it are one fewer.
        speed = rate(t.completion_tokens - 1, t.completion_seconds)
        say(f"answer       {t.completion_tokens} tokens in {t.completion_seconds:.2f} s{speed}")
        say(f"first token  after {t.time_to_first_token:.3f} s")
        say(f"ended by     {self.last.finish_reason}")
        if self.last.digest is not None:
            say(f"digest       {self.last.digest[:SHOWN]}")


@contextmanager
def _ended(display: Display | None) -> Iterator[None]:
    try:
        yield
    finally:
        if display is not None:
            display.end()


def rate(tokens: int, seconds: float) -> str:
    """Tokens a second in words after a comma; nothing where there is nothing to divide."""
    return f", {tokens / seconds:.1f} tok/s" if tokens > 0 and seconds > 0 else ""
