"""How much of the disk the cache takes: the files that were unused longest go first."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rushlight.engine.disk.entry import delete, is_temporary

_ABANDONED_SECONDS = 600.0
_FILLED = 0.9
_COUNTED_EVERY = 1 / 16


class _File(NamedTuple):
    used: float
    size: int
    path: Path


class Space:
    """Keeps the files of a folder's folders within a limit, whoever else writes there.

    A file's time of modification says when it was last used. What a process left half written goes after ten
    minutes.

    Args:
        folder: holds a folder for each namespace.
        n_bytes: the limit.
    """

    def __init__(self, folder: Path, n_bytes: int) -> None:
        self._folder = folder
        self._limit = n_bytes
        self._taken = 0
        self._uncounted = n_bytes

    def make_room(self, n_bytes: int) -> bool:
        """Delete old files until this many more bytes fit; False where they never will."""
        if n_bytes > self._limit:
            return False
        if self._taken + n_bytes > self._limit or self._uncounted > self._limit * _COUNTED_EVERY:
            self._clear(n_bytes)
        return True

    def take(self, n_bytes: int) -> None:
        """Note that a file of this size was written."""
        self._taken += n_bytes
        self._uncounted += n_bytes

    def _clear(self, n_bytes: int) -> None:
        """Count what is there, which others may have changed, and make more room than is needed now."""
        files = sorted(self._files())
        taken = sum(file.size for file in files)
        if taken + n_bytes > self._limit:
            for file in files:
                if taken + n_bytes <= self._limit * _FILLED or not taken:
                    break
                delete(file.path)
                taken -= file.size
        self._taken, self._uncounted = taken, 0

    def _files(self) -> Iterator[_File]:
        abandoned = time.time() - _ABANDONED_SECONDS
        for namespace in _scan(self._folder):
            for entry in _scan(Path(namespace.path)):
                try:
                    stat = entry.stat()
                except OSError:
                    continue  # another process deleted it
                if is_temporary(entry.name) and stat.st_mtime < abandoned:
                    delete(Path(entry.path))
                else:
                    yield _File(stat.st_mtime, stat.st_size, Path(entry.path))


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
