"""The messages so far, and the answers that are added to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rushlight.cli.answer import Answer
from rushlight.cli.chat.tally import Tally
from rushlight.cli.output import complain, say
from rushlight.errors import RushlightError

if TYPE_CHECKING:
    from rushlight.cli.display import Display
    from rushlight.llm import LLM
    from rushlight.params import SamplingParams
    from rushlight.prompts import Message


class Conversation:
    """Messages that a model answers.

    Args:
        llm: the model that answers.
        model: the reference it was loaded by.
        params: how it samples.
        system: the system message, or None.
        new_display: makes what shows an answer.
        verbose: tell the seed and the timings of each answer.

    Attributes:
        messages: so far.
        params: how it samples from now on.
        tally: of all answers.
    """

    def __init__(
        self,
        llm: LLM,
        model: str,
        params: SamplingParams,
        system: str | None,
        new_display: Callable[[], Display],
        verbose: bool = False,
    ) -> None:
        self._llm = llm
        self._new_display = new_display
        self._verbose = verbose
        self.model = model
        self.params = params
        self.system = system
        self.messages: list[Message] = []
        self.tally = Tally(llm.n_ctx)
        self.start_over()

    def start_over(self) -> None:
        """Forget everything but the system message."""
        self.messages = [] if self.system is None else [{"role": "system", "content": self.system}]

    def take(self, messages: list[Message]) -> None:
        """Go on from other messages; a system message, the first if any, stays when starting over."""
        self.messages = list(messages)
        first = messages[0] if messages else None
        self.system = first["content"] if first and first["role"] == "system" else None

    def ask(self, text: str) -> None:
        """Answer a message."""
        self._answer([*self.messages, {"role": "user", "content": text}])

    def retry(self) -> bool:
        """Answer the last message again; False if there is none. The answer before stays until then."""
        if (last := self._last_question()) is None:
            return False
        self._answer(self.messages[: last + 1])
        return True

    def undo(self) -> str | None:
        """Take the last message and its answer back, and return the message; None if there is none."""
        if (last := self._last_question()) is None:
            return None
        text = str(self.messages[last]["content"])
        self.messages = self.messages[:last]
        return text

    def _last_question(self) -> int | None:
        asked = (i for i in reversed(range(len(self.messages))) if self.messages[i]["role"] == "user")
        return next(asked, None)

    def _answer(self, messages: list[Message]) -> None:
        """Stream one answer; Ctrl-C stops it and what was said stays in the conversation."""
        answer = Answer()
        try:
            answer.take(self._llm.stream(messages, self.params), self._new_display())
        except KeyboardInterrupt:
            if not answer.text and not answer.reasoning:
                say("(stopped; the message was not taken)")
                return
            say("(stopped)")
        except RushlightError as error:
            complain(f"{error} The message was not taken; /undo makes room, /reset starts over.")
            return
        thought = {"reasoning": answer.reasoning} if answer.reasoning else {}
        self.messages = [*messages, {"role": "assistant", "content": answer.text, **thought}]
        self.tally.add(answer)
        if self._verbose:
            answer.report()
