"""Options for what a model keeps of prompts, in memory and on disk."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _ArgumentGroup

    from rushlight.cli.parser import Parser
    from rushlight.params import EngineOptions

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def add_memory_options(parser: Parser | _ArgumentGroup) -> None:
    """Add ``--kv-size --cache-dir --cache-size``."""
    parser.add_argument(
        "--kv-size",
        type=size,
        metavar="SIZE",
        help="most memory of the KV cache, such as 500M or 2G (default: one context, and more up to 1G)",
    )
    parser.add_argument(
        "--cache-dir",
        metavar="DIR",
        help="keep what was computed of prompts in this directory, for later runs (default: do not)",
    )
    parser.add_argument(
        "--cache-size", type=size, metavar="SIZE", help="most that it may take there (default: 4G)"
    )


def engine_options(args: Namespace) -> EngineOptions:
    """Build `EngineOptions` from parsed options.

    Raises:
        InvalidParameter: a value outside its range.
    """
    from rushlight.params import EngineOptions

    default = EngineOptions()
    return EngineOptions(
        kv_bytes=args.kv_size,
        cache_dir=args.cache_dir,
        cache_bytes=default.cache_bytes if args.cache_size is None else args.cache_size,
    )


def size(text: str) -> int:
    """Bytes of a size: a number, with or without a unit K, M, G or T, each 1024 times the one before.

    Raises:
        ArgumentTypeError: it is none.
    """
    number = text.strip().upper().removesuffix("B").removesuffix("I")
    unit = number[-1:] if number[-1:] in _UNITS else ""
    try:
        n_bytes = float(number.removesuffix(unit)) * 2 ** _UNITS[unit]
        if 1 <= n_bytes < 2**63:
            return int(n_bytes)
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} is no size; write a number with K, M, G or T, such as 4G")
