"""Lines that a person types, with history and editing, or lines of a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from rushlight.cli.output import say

if TYPE_CHECKING:
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyPressEvent

_PROMPT = "> "


class LineInput(Protocol):
    """Where the lines of a conversation come from."""

    @property
    def interactive(self) -> bool:
        """Whether a person types them."""

    def read(self) -> str | None:
        """Return the next line, or None at the end of the input."""


def open_line_input() -> LineInput:
    """Return a `Terminal` where both ends are one, else a `Pipe`."""
    return Terminal() if sys.stdin.isatty() and sys.stdout.isatty() else Pipe()


class Pipe:
    """Lines of standard input, without any prompt."""

    interactive = False

    def read(self) -> str | None:
        """Return the next line, or None at the end of the input."""
        return sys.stdin.readline() or None


class Terminal:
    """Lines typed at a terminal, with editing and a history that is kept in the cache directory."""

    interactive = True

    def __init__(self) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.key_binding import KeyBindings

        keys = KeyBindings()

        @keys.add("escape", "enter")
        def _new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        self._session: PromptSession[str] = PromptSession(history=_history(), key_bindings=keys)

    def read(self) -> str | None:
        """Return the next line, or None at Ctrl-D; Ctrl-C drops what was typed."""
        while True:
            try:
                return self._session.prompt(_PROMPT)
            except KeyboardInterrupt:
                say("Ctrl-D or /exit leaves.")
            except EOFError:
                return None


def _history() -> History:
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    from rushlight.paths import cache_dir

    directory = cache_dir()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "chat_history").open("a").close()
    except OSError:
        return InMemoryHistory()  # a cache that cannot be written is no reason not to talk
    return FileHistory(str(directory / "chat_history"))
