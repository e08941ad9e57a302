"""``rushlight perplexity``: how well a model foresees a text."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict

from rushlight.cli.options import add_computing_options
from rushlight.cli.output import write
from rushlight.cli.parser import Parser
from rushlight.cli.prompt import read_text
from rushlight.progress import ProgressLine


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight perplexity``."""
    parser.add_argument("file", metavar="FILE", help="the text, in UTF-8; - reads standard input")
    add_computing_options(parser)
    parser.add_argument(
        "-c",
        "--ctx",
        type=int,
        default=512,
        metavar="N",
        help="tokens of a chunk, of which the second half is scored (default: %(default)s)",
    )
    parser.add_argument("--chunks", type=int, metavar="N", help="most chunks to compute (default: all)")
    parser.add_argument("--json", action="store_true", help="write one JSON object")


def execute(parser: Parser, args: Namespace) -> int:
    """Score the text, and write the perplexity to standard output."""
    text = read_text(args.file)
    from rushlight.llm import LLM
    from rushlight.perplexity import perplexity

    with (
        ProgressLine() as progress,
        LLM(
            args.model, backend=args.backend, n_threads=args.threads, n_ctx=args.ctx, progress=progress
        ) as llm,
    ):
        found = perplexity(llm, text, args.ctx, n_chunks=args.chunks, progress=progress)
        progress.close()
    if args.json:
        write(json.dumps({"model": args.model} | asdict(found)) + "\n")
    else:
        write(
            f"{found.value:.4f} +/- {found.error:.4f} "
            f"({found.n_scored} tokens in {found.n_chunks} chunks of {found.n_ctx})\n"
        )
    return 0
