"""``rushlight tokenize``: ids and pieces of a text."""

from __future__ import annotations

import json
from argparse import Namespace

from rushlight.cli.output import write
from rushlight.cli.parser import Parser
from rushlight.cli.prompt import read_prompt


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight tokenize``."""
    parser.add_argument("text", metavar="TEXT", help="the text; - reads standard input")
    parser.add_argument(
        "-m",
        "--model",
        required=True,
        metavar="MODEL",
        help="a model, or a tokenizer.json, whose tokenizer to use",
    )
    parser.add_argument(
        "--no-special", action="store_true", help="add no special tokens, and take none out of the text"
    )
    parser.add_argument("--json", action="store_true", help="write a JSON array of objects with id and piece")


def execute(parser: Parser, args: Namespace) -> int:
    """Write one token a line: id, tab, piece as a JSON string."""
    from rushlight.text import load_tokenizer

    tokenizer = load_tokenizer(_tokenizer_file(args.model))
    special = not args.no_special
    ids = tokenizer.encode(read_prompt(args.text), add_special=special, parse_special=special)
    pieces = [tokenizer.decode([token]) for token in ids]
    if args.json:
        rows = [{"id": token, "piece": piece} for token, piece in zip(ids, pieces, strict=True)]
        write(json.dumps(rows, ensure_ascii=False) + "\n")
        return 0
    for token, piece in zip(ids, pieces, strict=True):
        write(f"{token}\t{json.dumps(piece, ensure_ascii=False)}\n")
    return 0


def _tokenizer_file(model: str) -> str:
    if model.endswith(".json"):
        return model
    from rushlight.hub import resolve

    return str(resolve(model, progress=True).path)
