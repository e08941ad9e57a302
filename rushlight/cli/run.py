"""``rushlight run``: stream one answer."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING

from rushlight.cli.answer import Answer
from rushlight.cli.display import Plain
from rushlight.cli.options import (
    add_model_options,
    add_sampling_options,
    load_model,
    note_long_context,
    note_missing_template,
    note_slow_backend,
    sampling_params,
)
from rushlight.cli.output import say, write
from rushlight.cli.parser import Parser
from rushlight.cli.prompt import read_prompt
from rushlight.progress import ProgressLine

if TYPE_CHECKING:
    from rushlight.prompts import Message


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight run``."""
    parser.add_argument("prompt", metavar="PROMPT", help="what to answer; - reads standard input")
    parser.add_argument("--system", metavar="TEXT", help="a system message before the prompt")
    parser.add_argument(
        "--raw", action="store_true", help="continue the prompt as it is, without chat template"
    )
    parser.add_argument("--json", action="store_true", help="write one JSON object when the answer is done")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="tell the seed and the timings on standard error"
    )
    add_model_options(parser)
    add_sampling_options(parser, max_tokens=100)


def execute(parser: Parser, args: Namespace) -> int:
    """Answer one prompt."""
    if args.raw and args.system is not None:
        parser.error("--system is a message of the chat template, which --raw leaves out")
    params = sampling_params(parser, args)
    prompt = read_prompt(args.prompt)
    started = time.perf_counter()
    with ProgressLine() as progress, load_model(args, progress) as llm:
        progress.close()
        load_seconds = time.perf_counter() - started
        note_slow_backend(llm, args.backend)
        note_long_context(llm)
        if not args.raw:
            note_missing_template(llm)
        answer = Answer()
        chunks = llm.stream(prompt if args.raw else _messages(prompt, args.system), params)
        answer.take(chunks, None if args.json else Plain())
        if args.json:
            import json

            write(json.dumps({"model": args.model} | answer.as_dict(), ensure_ascii=False) + "\n")
        if args.verbose:
            say(f"model        {args.model}")
            say(f"backend      {llm.backend}")
            say(f"context      {llm.n_ctx} tokens")
            answer.report(load_seconds=load_seconds)
    return 0


def _messages(prompt: str, system: str | None) -> list[Message]:
    first: list[Message] = [] if system is None else [{"role": "system", "content": system}]
    return [*first, {"role": "user", "content": prompt}]
