"""What was typed, kept between sessions."""

from __future__ import annotations

import os

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from rushlight.paths import data_dir


def encodable(text: str) -> str:
    """The text with question marks for bytes of the terminal that were no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def open_history() -> History:
    """The history of all sessions, in a file that only its owner can read."""
    path = data_dir() / "chat_history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return InMemoryHistory()  # a folder that cannot be written is no reason not to talk
    return _KeptHistory(str(path))


class _KeptHistory(FileHistory):
    def store_string(self, string: str) -> None:
        super().store_string(encodable(string))
