"""What a conversation has taken so far."""

from __future__ import annotations

from rushlight.cli.answer import Answer, rate


class Tally:
    """Counts tokens and seconds of the answers of a session.

    Args:
        n_ctx: tokens of the context.
    """

    def __init__(self, n_ctx: int) -> None:
        self._n_ctx = n_ctx
        self._n_answers = self._n_stopped = 0
        self._n_prompt = self._n_cached = self._n_generated = 0
        self._prompt_seconds = self._seconds = 0.0
        self._n_used: int | None = None

    def add(self, answer: Answer) -> None:
        """Count an answer; of one that was stopped only that it was."""
        self._n_answers += 1
        self._n_used = None
        if answer.last is None or answer.last.usage is None or answer.last.timings is None:
            self._n_stopped += 1
            return
        usage, timings = answer.last.usage, answer.last.timings
        self._n_used = usage.prompt_tokens + usage.completion_tokens
        self._n_prompt += timings.prompt_tokens
        self._n_cached += usage.cached_tokens
        self._prompt_seconds += timings.prompt_seconds
        # The first token comes out of the prompt's own step.
        self._n_generated += max(0, timings.completion_tokens - 1)
        self._seconds += timings.completion_seconds

    def table(self) -> str:
        """The counts, one a line."""
        stopped = f", {self._n_stopped} of them stopped" if self._n_stopped else ""
        used = "unknown until the next answer" if self._n_used is None else f"{self._n_used} tokens"
        return "\n".join(
            (
                f"answers   {self._n_answers}{stopped}",
                f"context   {used} of {self._n_ctx}",
                f"prompts   {self._n_prompt} tokens in {self._prompt_seconds:.2f} s"
                f"{rate(self._n_prompt, self._prompt_seconds)}, {self._n_cached} more were in the cache",
                f"words     {self._n_generated} tokens in {self._seconds:.2f} s"
                f"{rate(self._n_generated, self._seconds)}",
            )
        )
