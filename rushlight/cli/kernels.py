"""``rushlight kernels``: the machine code on this machine, and making it for others."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from rushlight.cli.output import say, write
from rushlight.cli.parser import Parser
from rushlight.cli.table import table
from rushlight.errors import InvalidParameter
from rushlight.progress import ProgressLine, format_bytes

_FORMATS = ("elf", "macho", "coff")


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight kernels``."""
    parser.add_argument("action", choices=("list", "build"), help="list what is here, or build archives")
    parser.add_argument("--json", action="store_true", help="list: write a JSON array")
    parser.add_argument(
        "--target", metavar="NAME", help="build: a kernel target, or all; by default this machine's"
    )
    parser.add_argument(
        "--format", choices=(*_FORMATS, "all"), help="build: an object format; by default this system's"
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, default=Path("kernels"), help="build: the folder for archives"
    )


def execute(parser: Parser, args: Namespace) -> int:
    """Do what was asked for."""
    if args.action == "build":
        _build(args.target, args.format, args.output)
    else:
        _list(as_json=args.json)
    return 0


def _list(*, as_json: bool) -> None:
    from rushlight.backends.cpu.inventory import find_kernels

    found = find_kernels()
    if as_json:
        rows = [{**asdict(kernels), "path": str(kernels.path)} for kernels in found]
        write(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        return
    if not found:
        say("No kernels are on this machine yet; they are compiled when a model first needs them.")
        return
    cells = [
        (
            kernels.target,
            kernels.format,
            kernels.place,
            f"{kernels.n_kernels} kernels",
            format_bytes(kernels.n_bytes),
            "current" if kernels.current else "of other sources, unused",
            str(kernels.path),
        )
        for kernels in found
    ]
    write(table(cells))


def _build(target: str | None, format: str | None, folder: Path) -> None:
    from rushlight.backends.cpu.inventory import build_archives
    from rushlight.backends.cpu.object_formats import host_format
    from rushlight.backends.cpu.target import TARGETS, detect_target

    wanted = target or detect_target().name
    targets = [t for t in TARGETS if wanted in (t.name, "all")]
    if not targets:
        names = ", ".join(t.name for t in TARGETS)
        raise InvalidParameter(f"There is no kernel target {wanted!r}; choose one of {names}, all.")
    formats = _FORMATS if format == "all" else (format or host_format(),)
    with ProgressLine() as progress:
        paths = build_archives(targets, formats, folder, progress)
    if not paths:
        raise InvalidParameter(
            f"No system with {formats[0]} object files runs {wanted}; its formats are "
            f"{', '.join(targets[0].formats)}: choose one with --format, or all."
        )
    write(table([(str(path), format_bytes(path.stat().st_size)) for path in paths]))
