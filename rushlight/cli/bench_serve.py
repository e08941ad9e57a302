"""``rushlight bench serve``: how fast a running server answers under load."""

from __future__ import annotations

import json
import os
from argparse import ArgumentTypeError, Namespace
from typing import TYPE_CHECKING, Any

from rushlight.cli.output import write
from rushlight.cli.parser import Parser
from rushlight.cli.table import table
from rushlight.errors import InvalidParameter
from rushlight.progress import ProgressLine

if TYPE_CHECKING:
    from rushlight.bench.serve import LoadResult
    from rushlight.bench.serve.plan import Range

_NAMES = {
    "time_to_first_token": "time to first token",
    "time_per_output_token": "time per output token",
    "request": "whole request",
}


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight bench serve``."""
    parser.add_argument(
        "--url", default="http://127.0.0.1:8080", metavar="URL", help="the server (default: %(default)s)"
    )
    parser.add_argument("-m", "--model", metavar="NAME", help="its model (default: the first that it lists)")
    parser.add_argument(
        "--api-key", metavar="KEY", help="of the server (default: the environment's OPENAI_API_KEY)"
    )
    parser.add_argument("--n", type=int, default=100, metavar="N", help="requests (default: %(default)s)")
    parser.add_argument(
        "--rate",
        type=float,
        metavar="R",
        help="requests a second, of a Poisson process (default: each begins when another one ends)",
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        metavar="C",
        help="most requests at once (default: 16, or no limit with --rate)",
    )
    for name, default in (("prompt", "32:512"), ("answer", "16:128")):
        parser.add_argument(
            f"--{name}",
            type=_range,
            default=default,
            metavar="LOW:HIGH",
            help=f"{'words' if name == 'prompt' else 'tokens'} of a{'n' * (name == 'answer')} {name} "
            "(default: %(default)s)",
        )
    parser.add_argument("--completions", action="store_true", help="ask /v1/completions, not the chat's")
    parser.add_argument(
        "--allow-eos", action="store_true", help="let answers end early; without, ignore_eos is sent"
    )
    parser.add_argument("--temperature", type=float, default=1.0, metavar="X", help="default: %(default)s")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="of all that is drawn (default: %(default)s)"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="without a word (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="write one JSON object")


def execute(parser: Parser, args: Namespace) -> int:
    """Load the server, and write the findings to standard output; 1 if a request failed."""
    from rushlight.bench.serve import LoadPlan, run_load

    try:
        plan = LoadPlan(
            n_requests=args.n,
            rate=args.rate,
            concurrency=args.concurrency,
            prompt=args.prompt,
            answer=args.answer,
            chat=not args.completions,
            ignore_eos=not args.allow_eos,
            temperature=args.temperature,
            seed=args.seed,
            timeout=args.timeout,
        )
    except InvalidParameter as error:
        parser.error(str(error).rstrip("."))
    key = args.api_key or os.environ.get("OPENAI_API_KEY")
    with ProgressLine() as progress:
        result = run_load(args.url, plan, model=args.model, key=key, progress=progress)
    write(json.dumps(result.as_dict()) + "\n" if args.json else findings(result))
    return 1 if result.errors else 0


def findings(result: LoadResult) -> str:
    """The findings in words and columns."""
    plan, found = result.plan, result.as_dict()
    arrival = "each when another ended" if plan.rate is None else f"{plan.rate:g} a second (Poisson)"
    done = f"{found['done']} of {found['requests']} in {result.seconds:.2f} s"
    cached = f", {found['cached_tokens']} of them cached" if found["cached_tokens"] else ""
    rows = [
        ("server", f"{result.url}, {result.model}"),
        ("load", f"{arrival}, at most {plan.n_in_flight} at once, seed {plan.seed}"),
        ("requests", f"{done}, {found['requests_per_second']:.2f} a second"),
        ("prompts", _tokens(found, "prompt") + cached),
        ("answers", _tokens(found, "answer")),
        ("errors", str(found["requests"] - found["done"])),
        *(("", f"{count} x {error}") for error, count in result.errors.items()),
    ]
    latencies = [
        (label, *("-" if value is None else f"{1000 * value:,.1f}" for value in found[name].values()))
        for name, label in _NAMES.items()
    ]
    return table(rows) + "\n" + _right([("milliseconds", *found["request"]), *latencies])


def _tokens(found: dict[str, Any], name: str) -> str:
    return f"{found[f'{name}_tokens']} tokens, {found[f'{name}_tokens_per_second']:.1f} tokens/s"


def _right(rows: list[tuple[str, ...]]) -> str:
    """A table whose columns but the first stand to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return table(
        [(row[0], *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))) for row in rows]
    )


def _range(text: str) -> Range:
    from rushlight.bench.serve.plan import Range

    low, _, high = text.partition(":")
    try:
        return Range(int(low), int(high or low))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no LOW:HIGH, such as 32:512") from None
