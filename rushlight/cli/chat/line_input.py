"""Lines that a person types, with history and editing, or lines of a pipe."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Protocol

from rushlight.cli.output import say
from rushlight.cli.prompt import decoded

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyPressEvent

_PROMPT = "> "
_QUOTES = '"""'


class LineInput(Protocol):
    """Where the lines of a conversation come from."""

    @property
    def interactive(self) -> bool:
        """Whether a person types them."""

    def read(self) -> str | None:
        """Return the next line, or None at the end of the input; one in triple quotes may be several."""

    def confirm(self, question: str) -> bool:
        """Ask whether something may be done."""


def open_line_input() -> LineInput:
    """Return a `Terminal` where both ends are one, else a `Pipe`."""
    return Terminal() if sys.stdin.isatty() and sys.stdout.isatty() else Pipe()


def is_open(text: str) -> bool:
    """Whether triple quotes begin a text and none have ended it yet."""
    begins = text.lstrip()
    return begins.startswith(_QUOTES) and not (
        len(begins) >= 2 * len(_QUOTES) and begins.rstrip().endswith(_QUOTES)
    )


def without_quotes(text: str) -> str:
    """The text between triple quotes, with a space where it begins like a command; others as they are."""
    inner = text.strip()
    if not inner.startswith(_QUOTES):
        return text
    inner = inner.removeprefix(_QUOTES).removesuffix(_QUOTES).strip("\n")
    return f" {inner}" if inner.startswith("/") else inner


class Pipe:
    """Lines of standard input, in UTF-8, without any prompt."""

    interactive = False

    def read(self) -> str | None:
        """Return the next line, or None at the end of the input.

        Raises:
            InvalidParameter: it is not UTF-8.
        """
        text = line = self._line()
        while line and is_open(text):
            line = self._line()
            text += line
        return without_quotes(text) if text else None

    def confirm(self, question: str) -> bool:
        """No: nobody is asked."""
        return False

    def _line(self) -> str:
        if not isinstance(sys.stdin, io.TextIOWrapper):
            return sys.stdin.readline()
        line = sys.stdin.buffer.readline()
        return decoded(line, "Standard input") + "\n" if line else ""


class Terminal:
    """Lines typed at a terminal, with editing, completion and a history that is kept between sessions."""

    interactive = True

    def __init__(self) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.key_binding import KeyBindings

        from rushlight.cli.chat.completer import SlashCompleter
        from rushlight.cli.chat.history import open_history

        keys = KeyBindings()

        @keys.add("escape", "enter")
        def _new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        self._session: PromptSession[str] = PromptSession(
            history=open_history(),
            key_bindings=keys,
            completer=SlashCompleter(),
            complete_while_typing=True,
            multiline=Condition(lambda: is_open(self._session.default_buffer.text)),
            prompt_continuation=" " * len(_PROMPT),
            reserve_space_for_menu=4,
        )

    def read(self) -> str | None:
        """Return the next line, or None at Ctrl-D; Ctrl-C drops what was typed."""
        from rushlight.cli.chat.history import encodable

        while True:
            try:
                return without_quotes(encodable(self._session.prompt(_PROMPT)))
            except KeyboardInterrupt:
                say("Ctrl-D or /exit leaves.")
            except EOFError:
                return None

    def confirm(self, question: str) -> bool:
        """Ask for a letter; anything but y is no."""
        from prompt_toolkit import prompt

        try:
            return prompt(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
        except (KeyboardInterrupt, EOFError):
            return False
