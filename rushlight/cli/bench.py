"""``rushlight bench``: how fast a model runs here, as shares of what this machine can do at most."""

from __future__ import annotations

import json
from argparse import Namespace
from statistics import median
from typing import TYPE_CHECKING

from rushlight.cli.options import add_computing_options
from rushlight.cli.output import write
from rushlight.cli.parser import Parser
from rushlight.errors import InvalidParameter
from rushlight.progress import ProgressLine, format_bytes

if TYPE_CHECKING:
    from rushlight.bench import BenchResult


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight bench``."""
    add_computing_options(parser)
    for names, default, text in (
        (("-p", "--n-prompt"), 512, "tokens of the prompt, 0: no prefill"),
        (("-n", "--n-gen"), 128, "tokens to generate, 0: no decode"),
        (("-d", "--depth"), 0, "tokens in the cache before either begins"),
        (("--sequences",), 1, "sequences that decode together"),
        (("-r", "--repetitions"), 3, "how often each is measured; the median counts"),
    ):
        told = f"{text} (default: {default})"
        parser.add_argument(*names, type=int, default=default, metavar="N", help=told)
    parser.add_argument("--no-warmup", action="store_true", help="let the first time count too")
    parser.add_argument("--json", action="store_true", help="write one JSON object")


def execute(parser: Parser, args: Namespace) -> int:
    """Measure, and write the findings to standard output."""
    from rushlight.bench import BenchPlan, run_bench

    try:
        plan = BenchPlan(
            n_prompt=args.n_prompt,
            n_decode=args.n_gen,
            depth=args.depth,
            n_sequences=args.sequences,
            repetitions=args.repetitions,
            warmup=not args.no_warmup,
        )
    except InvalidParameter as error:
        parser.error(str(error).rstrip("."))
    with ProgressLine() as progress:
        result = run_bench(args.model, plan, backend=args.backend, n_threads=args.threads, progress=progress)
        progress.close()
    write(json.dumps(result.as_dict()) + "\n" if args.json else table(result))
    return 0


def table(result: BenchResult) -> str:
    """The findings in words and columns."""
    target = f", kernels for {result.target}" if result.target else f", {result.backend} backend"
    head = {
        "model": f"{result.model} ({result.file}, {format_bytes(result.file_bytes)})",
        "machine": result.processor + target,
        "threads": str(result.threads),
        "loaded in": f"{result.load_seconds:.2f} s",
    }
    if (peaks := result.peaks) is not None:
        head["limits"] = (
            f"memory read {peaks.read_bytes / 1e9:.1f} GB/s, 8-bit dot product {peaks.dot_macs / 1e9:.0f} "
            f"GMAC/s, float32 {peaks.fma_flops / 1e9:.0f} GFLOP/s"
        )
    if result.peak_bytes is not None:
        head["memory"] = (
            f"{format_bytes(result.peak_bytes)} at most; the file and the KV cache are "
            f"{format_bytes(result.file_bytes + result.kv_bytes)}"
        )
    lines = [f"{name:<10} {text}" for name, text in head.items()]
    return "\n".join([*lines, "", *_speeds(result)]) + "\n"


def _speeds(result: BenchResult) -> list[str]:
    plan = result.plan
    depth = f" at depth {plan.depth}" if plan.depth else ""
    together = f", {plan.n_sequences} sequences" if plan.n_sequences > 1 else ""
    rows = (
        (f"prefill {plan.n_prompt}{depth}", result.prefill, result.prefill_share, "the dot product's peak"),
        (f"decode {plan.n_decode}{depth}{together}", result.decode, result.decode_share, "memory bandwidth"),
    )
    measured = [row for row in rows if row[1]]
    width = max(len(name) for name, *_ in measured)
    return [
        f"{name:<{width}} {median(speeds):10,.1f} tokens/s{f'   {share:4.0%} of {limit}' if share else ''}"
        for name, speeds, share, limit in measured
    ]
