"""A conversation in a file: JSON with the messages as OpenAI's API writes them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rushlight.errors import InvalidFile

if TYPE_CHECKING:
    from rushlight.prompts import Message

_MOST_BYTES = 64 << 20
_ROLES = ("system", "user", "assistant")


def save_chat(path: Path, model: str, messages: Sequence[Message]) -> None:
    """Write a conversation; a file that is there is replaced in one step, when the new one is complete.

    Raises:
        OSError: it cannot be written.
    """
    content = json.dumps({"model": model, "messages": list(messages)}, ensure_ascii=False, indent=1) + "\n"
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def load_chat(path: Path) -> list[Message]:
    """Read a conversation.

    Raises:
        InvalidFile: the file holds none.
        OSError: it cannot be read.
    """
    if path.stat().st_size > _MOST_BYTES or not path.is_file():
        raise InvalidFile(f"{path} is no file of a conversation, or larger than {_MOST_BYTES >> 20} MiB.")
    try:
        saved = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"{path} is not JSON ({error}); /load reads what /save wrote.") from error
    messages = saved.get("messages") if isinstance(saved, dict) else None
    if not isinstance(messages, list):
        raise InvalidFile(f'{path} is no object with a list of "messages"; /load reads what /save wrote.')
    return [_message(path, i, message) for i, message in enumerate(messages)]


def _message(path: Path, i: int, message: Any) -> Message:
    """The known parts of a message."""
    where = f"Message {i + 1} of {path}"
    if not isinstance(message, dict):
        raise InvalidFile(f"{where} is no object with a role and its content.")
    role = message.get("role")
    if role not in _ROLES or (role == "system" and i):
        raise InvalidFile(
            f"{where} has the role {role!r}; user and assistant are expected, and system in the first one."
        )
    kept = {"content": message.get("content")}
    if "reasoning" in message and role == "assistant":
        kept["reasoning"] = message["reasoning"]
    for name, text in kept.items():
        if not isinstance(text, str) or not _is_encodable(text):
            raise InvalidFile(f"{where} has a {name} that is no text.")
    return {"role": role, **kept}


def _is_encodable(text: str) -> bool:
    """Whether it has no half of a surrogate pair, which JSON can write and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
