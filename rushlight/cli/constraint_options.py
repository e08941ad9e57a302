"""Options that constrain answers: a JSON schema, a regular expression or a grammar."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rushlight.errors import InvalidParameter

if TYPE_CHECKING:
    from rushlight.cli.parser import Parser


def add_constraint_options(parser: Parser) -> None:
    """Add ``--json-schema --regex --grammar``, of which one may be given."""
    group = parser.add_argument_group("constraints").add_mutually_exclusive_group()
    group.add_argument(
        "--json-schema", metavar="FILE|TEXT", help="the answer is JSON that this schema allows"
    )
    group.add_argument("--regex", metavar="TEXT", help="the whole answer matches this regular expression")
    group.add_argument(
        "--grammar", metavar="FILE|TEXT", help="the answer is one of this grammar, in Lark's syntax or GBNF"
    )


def constraint_fields(args: Namespace) -> dict[str, Any]:
    """The fields of `SamplingParams` that the options ask for.

    Raises:
        InvalidParameter: a file that cannot be read.
    """
    return {
        "json_schema": _file_or_text("--json-schema", args.json_schema),
        "regex": args.regex,
        "grammar": _file_or_text("--grammar", args.grammar),
    }


def _file_or_text(option: str, value: str | None) -> str | None:
    """The text of a file where one is named, else the value itself."""
    if value is None:
        return None
    try:
        if not Path(value).is_file():
            return value
        return Path(value).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        if any(mark in value for mark in "{\n:"):  # too long or odd for a name: a text
            return value
        raise InvalidParameter(f"{option} names {value}, which cannot be read: {error}") from error
