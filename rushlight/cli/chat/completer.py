"""Completion of what follows a slash."""

from __future__ import annotations

from collections.abc import Iterable

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from rushlight.cli.chat.settings import SETTINGS
from rushlight.cli.chat.slash_commands import SLASH_COMMANDS


class SlashCompleter(Completer):
    """Completes commands, the names of settings, and files."""

    def __init__(self) -> None:
        self._files = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What may stand at the cursor."""
        command, space, rest = document.text_before_cursor.partition(" ")
        if not command.startswith("/"):
            return
        if not space:
            for name, found in SLASH_COMMANDS.items():
                if name.startswith(command):
                    yield Completion(name, -len(command), display_meta=found.about)
        elif command == "/set":
            yield from (Completion(name, -len(rest)) for name in SETTINGS if name.startswith(rest))
        elif command in {"/save", "/load"}:
            yield from self._files.get_completions(Document(rest), complete_event)
