"""Hashes and free space: is what arrived what was sent, and is there room for it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from rushlight.errors import ModelNotFound
from rushlight.progress import Progress, format_bytes

_CHUNK = 1 << 22
_SPARE = 64 << 20  # bytes that a download leaves free


def sha256_of(path: Path, progress: Progress | None = None) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress(f"Checking {path.name}", done, total)
    return digest.hexdigest()


def require_space(directory: Path, needed: int, what: str, cure: str) -> None:
    """Check that `needed` bytes fit into the filesystem of `directory`.

    Args:
        directory: where they will go; the nearest parent that exists is asked.
        needed: bytes.
        what: the thing to be written, for the message.
        cure: how to choose another place, for the message.

    Raises:
        ModelNotFound: they do not fit.
    """
    place = directory
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        return  # a filesystem that does not tell; the write itself will
    if free < needed + _SPARE:
        raise ModelNotFound(no_space(what, directory, cure, needed, free))


def no_space(
    what: str, directory: Path, cure: str, needed: int | None = None, free: int | None = None
) -> str:
    """Write the message for a full disk."""
    need = f": it needs {format_bytes(needed)}" if needed else ""
    left = f", {format_bytes(free)} are free" if free is not None else ""
    return f"There is no room for {what} in {directory}{need}{left}. Free some space, or {cure}."
