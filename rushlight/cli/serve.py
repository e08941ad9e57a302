"""``rushlight serve``: OpenAI-compatible server and chat page on one port."""

from __future__ import annotations

import os
import signal
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rushlight.cli.memory_options import engine_options
from rushlight.cli.options import (
    add_model_options,
    load_model,
    note_long_context,
    note_missing_template,
    note_slow_backend,
)
from rushlight.cli.output import say
from rushlight.cli.parser import Parser
from rushlight.errors import InvalidParameter
from rushlight.progress import ProgressLine
from rushlight.server.options import DEFAULT_HOST, DEFAULT_PORT, ServerOptions

if TYPE_CHECKING:
    from rushlight.llm import LLM

KEY_VARIABLE = "RUSHLIGHT_API_KEY"


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight serve``."""
    add_model_options(parser)
    _add_address_options(parser)
    _add_limit_options(parser)


def execute(parser: Parser, args: Namespace) -> int:
    """Serve until told to stop."""
    try:
        options = _options(args)
        engine = engine_options(args)
        if args.parallel is not None:
            engine = replace(engine, n_sequences=args.parallel)
    except InvalidParameter as error:
        parser.error(str(error).rstrip("."))
    with ProgressLine() as progress, load_model(args, progress, engine) as llm:
        progress.close()
        note_slow_backend(llm, args.backend)
        note_long_context(llm)
        if llm.config.writes:
            note_missing_template(llm)
        return _serve(llm, options)


def _serve(llm: LLM, options: ServerOptions) -> int:
    from rushlight.server.app import create_app
    from rushlight.server.logs import log_to
    from rushlight.server.serving import HttpServer, listen

    log_to(sys.stderr)
    with listen(options.host, options.port) as listening:
        port = listening.getsockname()[1]
        host = f"[{options.host}]" if ":" in options.host else options.host
        about = f"{options.model_names[0]} is served on http://{host}:{port} (API: /v1). Ctrl-C stops."
        server = HttpServer(create_app(llm, options), listening, on_start=lambda: say(about))
        server.serve_until_told()
    return 128 + signal.SIGINT if server.signal == signal.SIGINT else 0


def _options(args: Namespace) -> ServerOptions:
    return ServerOptions(
        host=args.host,
        port=args.port,
        model_names=tuple(args.alias) or (_name(args.model),),
        api_keys=_api_keys(args),
        allow_no_key=args.no_api_key,
        cors_origins=tuple(args.cors_origin),
        allowed_hosts=tuple(args.allowed_host),
        n_queue=args.queue,
        request_seconds=args.timeout,
        drain_seconds=args.drain,
        max_body_bytes=args.max_body << 20,
        log_prompts=args.log_prompts,
    )


def _name(reference: str) -> str:
    """What requests call the model: the reference, or the name of the file that it is."""
    return Path(reference).stem if reference.endswith(".gguf") else reference


def _api_keys(args: Namespace) -> tuple[str, ...]:
    """The keys of options, file and environment."""
    if args.no_api_key:
        return ()
    keys = list(args.api_key)
    if args.api_key_file is not None:
        lines = Path(args.api_key_file).read_text(encoding="utf-8").splitlines()
        found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not found:
            raise InvalidParameter(f"{args.api_key_file} holds no API key; write one a line.")
        keys += found
    return tuple(keys or filter(None, [os.environ.get(KEY_VARIABLE)]))


def _add_address_options(parser: Parser) -> None:
    group = parser.add_argument_group("address and access")
    group.add_argument(
        "--host", default=DEFAULT_HOST, metavar="HOST", help="address to listen on (default: %(default)s)"
    )
    group.add_argument(
        "--port", type=int, default=DEFAULT_PORT, metavar="N", help="port (default: %(default)s)"
    )
    group.add_argument(
        "--alias",
        action="append",
        default=[],
        metavar="NAME",
        help="what requests call the model; may be repeated (default: MODEL, or its file's name)",
    )
    group.add_argument(
        "--api-key",
        action="append",
        default=[],
        metavar="KEY",
        help=f"ask for this key; may be repeated (default: {KEY_VARIABLE}; others see your options)",
    )
    group.add_argument("--api-key-file", metavar="FILE", help="ask for one of the keys in a file, one a line")
    group.add_argument(
        "--no-api-key", action="store_true", help="ask for no key, on addresses that others reach either"
    )
    group.add_argument(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin ask, * for all; may be repeated (default: none)",
    )
    group.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name of this machine that a Host header may hold; may be repeated",
    )


def _add_limit_options(parser: Parser) -> None:
    group = parser.add_argument_group("limits")
    defaults = ServerOptions()
    group.add_argument(
        "--parallel", type=int, metavar="N", help="sequences that run at once (default: 8); more wait"
    )
    for name, kind, default, metavar, text in (
        ("--queue", int, defaults.n_queue, "N", "sequences that may wait; more are refused with 429"),
        ("--timeout", float, defaults.request_seconds, "SECONDS", "for a request, waiting included"),
        ("--drain", float, defaults.drain_seconds, "SECONDS", "for running requests when told to stop"),
        ("--max-body", int, defaults.max_body_bytes >> 20, "MIB", "of a request"),
    ):
        group.add_argument(
            name, type=kind, default=default, metavar=metavar, help=f"{text} (default: {default:g})"
        )
    group.add_argument("--log-prompts", action="store_true", help="write the bodies of requests into the log")
