"""``rushlight rm``: delete a model from this machine."""

from __future__ import annotations

from argparse import Namespace

from rushlight.cli.output import say
from rushlight.cli.parser import Parser
from rushlight.hub import remove
from rushlight.progress import format_bytes


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight rm``."""
    parser.add_argument("reference", metavar="REF", help="as 'rushlight list' shows it")


def execute(parser: Parser, args: Namespace) -> int:
    """Delete a model and tell what that freed."""
    freed = remove(args.reference)
    say(f"Removed {args.reference}: {format_bytes(freed)} freed.")
    return 0
