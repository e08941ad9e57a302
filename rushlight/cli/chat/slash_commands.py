"""What a line that begins with a slash does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rushlight.cli.chat.conversation import Conversation
from rushlight.cli.chat.line_input import LineInput
from rushlight.cli.chat.saved_chat import load_chat, save_chat
from rushlight.cli.chat.settings import NONE, SETTINGS, changed, shown
from rushlight.cli.output import complain, say
from rushlight.cli.table import table
from rushlight.errors import RushlightError

EXITS = ("/exit", "/quit")
_ENDING = """\
Ctrl-C stops an answer; what was said stays. Alt-Enter begins a new line, and so does Enter
in a message that begins with \"\"\", up to the next \"\"\".
A space before a slash sends the line as a message."""


class SlashCommand(NamedTuple):
    """A command: its usage, what /help says about it, and what it does with the rest of the line."""

    usage: str
    about: str
    run: Callable[[Conversation, LineInput, str], None]


def run_slash_command(conversation: Conversation, lines: LineInput, text: str) -> None:
    """Run one; what is wrong with it is told, and the conversation stays as it is."""
    name, _, rest = text.partition(" ")
    if name not in SLASH_COMMANDS:
        complain(f"There is no command {name}; /help tells which there are.")
        return
    try:
        SLASH_COMMANDS[name].run(conversation, lines, rest.strip())
    except RushlightError as error:
        complain(str(error))
    except OSError as error:
        complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")


def _system(conversation: Conversation, lines: LineInput, text: str) -> None:
    conversation.system = text or None
    conversation.start_over()
    say("The conversation starts over with that system message." if text else "No system message.")


def _set(conversation: Conversation, lines: LineInput, text: str) -> None:
    name, _, value = text.partition(" ")
    if value.strip():
        conversation.params = changed(conversation.params, name, value.strip())
    elif name and name not in SETTINGS:
        changed(conversation.params, name, "")
    names = [name] if name else list(SETTINGS)
    say(table([(name, shown(conversation.params, name)) for name in names]).rstrip("\n"))


def _retry(conversation: Conversation, lines: LineInput, text: str) -> None:
    params = conversation.params
    if params.seed is not None or params.temperature == 0:
        say(f"note: the answer will be the same; /set seed {NONE} and a temperature above 0 let it differ.")
    if not conversation.retry():
        complain("There is no message to answer again.")


def _undo(conversation: Conversation, lines: LineInput, text: str) -> None:
    undone = conversation.undo()
    if undone is None:
        complain("There is no message to take back.")
    else:
        first = undone.split("\n", 1)[0]
        say(f"Taken back, with its answer: {first if len(first) <= 60 else f'{first[:57]}...'}")


def _save(conversation: Conversation, lines: LineInput, text: str) -> None:
    path = _path("/save", text)
    if path is None:
        return
    if path.is_dir():
        complain(f"{path} is a folder; name a file in it.")
    elif path.exists() and not lines.confirm(f"{path} exists; replace it?"):
        complain(f"{path} was left as it is; choose another name.")
    else:
        save_chat(path, conversation.model, conversation.messages)
        say(f"{len(conversation.messages)} messages are in {path}.")


def _load(conversation: Conversation, lines: LineInput, text: str) -> None:
    path = _path("/load", text)
    if path is None:
        return
    conversation.take(load_chat(path))
    say(f"{len(conversation.messages)} messages come from {path}.")
    if conversation.messages and conversation.messages[-1]["role"] == "user":
        say("The last one has no answer yet; /retry answers it.")


def _path(command: str, text: str) -> Path | None:
    if not text:
        complain(f"{command} needs the name of a file: {command} FILE.")
        return None
    return Path(text).expanduser()


def _stats(conversation: Conversation, lines: LineInput, text: str) -> None:
    say(conversation.tally.table())


def _reset(conversation: Conversation, lines: LineInput, text: str) -> None:
    conversation.start_over()
    say("The conversation starts over.")


def _help(conversation: Conversation, lines: LineInput, text: str) -> None:
    say(table([(command.usage, command.about) for command in SLASH_COMMANDS.values()]) + _ENDING)


def _exit(conversation: Conversation, lines: LineInput, text: str) -> None:
    complain("/exit takes nothing after it.")  # alone it never comes here


SLASH_COMMANDS: dict[str, SlashCommand] = {
    "/system": SlashCommand(
        "/system TEXT", "start over with a system message (without TEXT: without one)", _system
    ),
    "/set": SlashCommand("/set NAME VALUE", "change how words are chosen (without VALUE: show it)", _set),
    "/retry": SlashCommand("/retry", "answer the last message again", _retry),
    "/undo": SlashCommand("/undo", "take the last message and its answer back", _undo),
    "/save": SlashCommand("/save FILE", "write the conversation to a file", _save),
    "/load": SlashCommand("/load FILE", "go on with a conversation from a file", _load),
    "/stats": SlashCommand("/stats", "tokens and speed so far", _stats),
    "/reset": SlashCommand("/reset", "start over", _reset),
    "/help": SlashCommand("/help", "this", _help),
    "/exit": SlashCommand("/exit", "leave; so does Ctrl-D", _exit),
}
