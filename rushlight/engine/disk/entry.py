"""One file of the cache: a block's content behind a seal that only this content in this place has.

A file is there as a whole or not at all: it is written under another name and then renamed. Whatever else may
happen to it, such as a power cut, bit rot, or somebody who renames it, breaks the seal.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

SEAL_BYTES = 32
_TEMPORARY = ".tmp"


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that is, or was, being written."""
    return name.endswith(_TEMPORARY)


def read_entry(path: Path, place: bytes) -> bytes | None:
    """The content of a file; a file whose seal is broken is deleted.

    Args:
        path: the file.
        place: what `write_entry` was given.

    Returns:
        None where there is no such file, or it cannot be read or trusted.
    """
    try:
        with path.open("rb", buffering=0) as file:
            seal, content = file.read(SEAL_BYTES), file.readall()
    except OSError:
        return None
    if seal == _seal(content, place):
        return content
    delete(path)
    return None


def write_entry(path: Path, place: bytes, content: bytes) -> int:
    """Write a file in whose `place` nothing else will be believed; the bytes that it takes.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{_TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            file.write(_seal(content, place))
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        delete(temporary)
        raise
    return SEAL_BYTES + len(content)


def delete(path: Path) -> None:
    """Delete a file, if that is possible."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _seal(content: bytes, place: bytes) -> bytes:
    return blake2b(content, digest_size=SEAL_BYTES, key=blake2b(place).digest()).digest()
