"""The command: its options, and the loop over what a person types."""

from __future__ import annotations

import time
from argparse import Namespace

from rushlight.cli.chat.conversation import Conversation
from rushlight.cli.chat.line_input import LineInput, open_line_input
from rushlight.cli.chat.slash_commands import EXITS, run_slash_command
from rushlight.cli.display import open_display
from rushlight.cli.options import (
    add_model_options,
    add_sampling_options,
    load_model,
    note_long_context,
    note_missing_template,
    note_slow_backend,
    sampling_params,
)
from rushlight.cli.output import say
from rushlight.cli.parser import Parser
from rushlight.progress import ProgressLine


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight chat``."""
    parser.add_argument("--system", metavar="TEXT", help="a system message to start with")
    parser.add_argument("--plain", action="store_true", help="show answers as they are, Markdown unrendered")
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
        conversation = Conversation(
            llm, args.model, params, args.system, lambda: open_display(plain=args.plain), args.verbose
        )
        hold(conversation, lines)
    return 0


def hold(conversation: Conversation, lines: LineInput) -> None:
    """Answer line after line, and run commands, until the input ends or ``/exit``."""
    while (line := lines.read()) is not None:
        text = line.strip()
        if text in EXITS:
            return
        try:
            if line.startswith("/") and "\n" not in text:
                run_slash_command(conversation, lines, text)
            elif text:
                conversation.ask(text)
        except KeyboardInterrupt:  # one that came between two steps, such as a second one
            say("")
