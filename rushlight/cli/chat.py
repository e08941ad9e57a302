"""``rushlight chat``: a conversation in the terminal."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING

from rushlight.cli.answer import Answer
from rushlight.cli.line_input import LineInput, open_line_input
from rushlight.cli.options import (
    add_model_options,
    add_sampling_options,
    load_model,
    note_long_context,
    note_missing_template,
    note_slow_backend,
    sampling_params,
)
from rushlight.cli.output import complain, say, write
from rushlight.cli.parser import Parser
from rushlight.errors import RushlightError
from rushlight.progress import ProgressLine

if TYPE_CHECKING:
    from rushlight.llm import LLM
    from rushlight.params import SamplingParams
    from rushlight.prompts import Message

_HELP = """\
/system TEXT  start over with a system message (without TEXT: without one)
/reset        start over
/help         this
/exit         leave; so does Ctrl-D
Ctrl-C stops an answer. Alt-Enter begins a new line."""


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight chat``."""
    parser.add_argument("--system", metavar="TEXT", help="a system message to start with")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="after each answer, tell the seed and the timings"
    )
    add_model_options(parser)
    add_sampling_options(parser, max_tokens=None)


def execute(parser: Parser, args: Namespace) -> int:
    """Converse until the input ends."""
    params = sampling_params(parser, args)
    started = time.perf_counter()
    with ProgressLine() as progress, load_model(args, progress) as llm:
        progress.close()
        note_slow_backend(llm, args.backend)
        note_long_context(llm)
        note_missing_template(llm)
        lines = open_line_input()
        if lines.interactive:
            say(f"{args.model}, loaded in {time.perf_counter() - started:.1f} s. /help tells the commands.")
        Conversation(llm, params, args.system, verbose=args.verbose).hold(lines)
    return 0


class Conversation:
    """The messages so far, and the commands that change them.

    Args:
        llm: the model that answers.
        params: how it samples.
        system: the system message, or None.
        verbose: tell the seed and the timings of each answer.
    """

    def __init__(
        self, llm: LLM, params: SamplingParams, system: str | None, *, verbose: bool = False
    ) -> None:
        self._llm = llm
        self._params = params
        self._system = system
        self._verbose = verbose
        self.messages: list[Message] = []
        self._start_over()

    def hold(self, lines: LineInput) -> None:
        """Answer line after line until the input ends or ``/exit``."""
        while (line := lines.read()) is not None:
            text = line.strip()
            if text in {"/exit", "/quit"}:
                return
            if text.startswith("/"):
                self._command(text)
            elif text:
                self._answer(text)

    def _start_over(self) -> None:
        self.messages = [] if self._system is None else [{"role": "system", "content": self._system}]

    def _command(self, text: str) -> None:
        name, _, rest = text.partition(" ")
        if name == "/reset":
            self._start_over()
            say("The conversation starts over.")
        elif name == "/system":
            self._system = rest.strip() or None
            self._start_over()
            say(
                "The conversation starts over with that system message."
                if self._system
                else "No system message."
            )
        elif name == "/help":
            say(_HELP)
        else:
            complain(f"There is no command {name}; /help tells which there are.")

    def _answer(self, text: str) -> None:
        """Stream one answer; Ctrl-C stops it and what was said stays in the conversation."""
        self.messages.append({"role": "user", "content": text})
        answer = Answer()
        try:
            answer.take(self._llm.stream(list(self.messages), self._params), show=True)
        except KeyboardInterrupt:
            say("")
            say("(stopped)")
        except RushlightError as error:
            complain(f"{error} The message was not taken; /reset starts over.")
            self.messages.pop()
            return
        else:
            write("\n")
        thought = {"reasoning": answer.reasoning} if answer.reasoning else {}
        self.messages.append({"role": "assistant", "content": answer.text, **thought})
        if self._verbose:
            answer.report()
