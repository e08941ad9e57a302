"""``rushlight list``: the models on this machine, or the short names."""

from __future__ import annotations

import json
import time
from argparse import Namespace

from rushlight.cli.output import say, write
from rushlight.cli.parser import Parser
from rushlight.cli.table import table
from rushlight.hub import ALIASES, list_models
from rushlight.progress import format_bytes


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight list``."""
    parser.add_argument("--aliases", action="store_true", help="list the short names instead")
    parser.add_argument("--json", action="store_true", help="write a JSON array")


def execute(parser: Parser, args: Namespace) -> int:
    """Write a table, or JSON, to standard output."""
    if args.aliases:
        _list_aliases(as_json=args.json)
    else:
        _list_models(as_json=args.json)
    return 0


def _list_aliases(*, as_json: bool) -> None:
    if as_json:
        rows = [{"alias": name, **alias._asdict()} for name, alias in ALIASES.items()]
        write(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        return
    write(table([(name, format_bytes(a.size), a.about, a.reference) for name, a in ALIASES.items()]))


def _list_models(*, as_json: bool) -> None:
    models = list_models()
    if as_json:
        rows = [
            {
                "reference": m.reference,
                "source": m.source,
                "revision": m.revision,
                "size": m.size,
                "modified": m.modified,
                "paths": [str(path) for path in m.paths],
            }
            for m in models
        ]
        write(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    elif models:
        dates = [time.strftime("%Y-%m-%d", time.localtime(m.modified)) for m in models]
        write(table([(m.reference, format_bytes(m.size), d) for m, d in zip(models, dates, strict=True)]))
    else:
        say("No model is on this machine yet; 'rushlight pull smollm2' fetches a small one.")
