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
    parser.add_argument(
        "--json",
        action="store_true",
        help="write a JSON array of objects with id and piece (a text, or bytes)",
    )


def execute(parser: Parser, args: Namespace) -> int:
    """Write one token a line: id, tab, the quoted piece, in which bytes of half a character are escaped."""
    from rushlight.text import load_tokenizer

    tokenizer = load_tokenizer(_tokenizer_file(args.model))
    special = not args.no_special
    ids = tokenizer.encode(read_prompt(args.text), add_special=special, parse_special=special)
    pieces = [tokenizer.token_bytes(token) for token in ids]
    if args.json:
        rows = [{"id": token, "piece": _as_json(piece)} for token, piece in zip(ids, pieces, strict=True)]
        write(json.dumps(rows, ensure_ascii=False) + "\n")
    else:
        write("".join(f"{token}\t{_quoted(piece)}\n" for token, piece in zip(ids, pieces, strict=True)))
    return 0


def _as_json(piece: bytes) -> str | list[int]:
    """The piece as text, or its bytes where it ends or begins inside a character."""
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError:
        return list(piece)


def _quoted(piece: bytes) -> str:
    text = _as_json(piece)
    if isinstance(text, str):
        return json.dumps(text, ensure_ascii=False)
    return '"' + piece.decode("utf-8", "backslashreplace") + '"'


def _tokenizer_file(model: str) -> str:
    if model.endswith(".json"):
        return model
    from rushlight.hub import resolve

    return str(resolve(model, progress=True).path)
