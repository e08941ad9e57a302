"""`DiskCache`: which blocks are on disk, and the thread that writes them.

Nothing in here may stop or slow a generation: files are written by a thread, whose queue has a limit beyond
which blocks are left out; what cannot be read is computed; what cannot be written is told once.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

from rushlight.engine.disk.entry import read_entry, write_entry
from rushlight.engine.disk.fetch import BlockName, Fetch
from rushlight.engine.disk.identity import Identity
from rushlight.engine.disk.space import Space

_LOGGER = logging.getLogger("rushlight.engine")
_MOST_PENDING_BYTES = 256 << 20
_USED_SECONDS = 60.0
_MOST_SEEN = 100_000

_BLOCKS, _MODELS = "blocks", "models"

_Entry = tuple[BlockName, bytes]


class DiskCache:
    """Blocks of one model in a directory that any number of processes and models may share.

    A block is known by its cache group and its key, the hash of all tokens up to its end, and lies in a
    folder named after the model's identity. Files that were not used for longest are deleted beyond the
    limit.

    Args:
        directory: made where it is missing, for this user alone: what it holds tells of prompts.
        n_bytes: most bytes of all files in it.
        identity: of the model. Where it is not known yet, nothing is found before the thread has computed it.
    """

    def __init__(self, directory: str | os.PathLike[str], n_bytes: int, identity: Identity) -> None:
        self._directory = Path(directory).expanduser()
        self._space = Space(self._directory / _BLOCKS, n_bytes)
        self._identity = identity
        known = identity.known(self._directory / _MODELS)
        self._folder = None if known is None else self._folder_of(known)
        self._seen: dict[BlockName, float] = {}
        self._distrusted: set[BlockName] = set()
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()
        self._n_pending = 0
        self._lock = threading.Lock()
        self._writes = True
        self._thread = threading.Thread(target=self._run, name="rushlight-disk-write", daemon=True)
        self._thread.start()

    def has(self, name: BlockName) -> bool:
        """Whether a block is there to be read, as far as its file's name tells."""
        return self._folder is not None and self._path(self._folder, name).exists()

    def fetch(self, names: Sequence[BlockName]) -> Fetch:
        """Begin to read blocks that are there."""
        return Fetch(names, self._read, self._distrusted.update)

    def offer(self, name: BlockName, content: Callable[[], bytes]) -> None:
        """Note that a block is in use, and write it if it is not there or not to be trusted.

        Args:
            name: of the block.
            content: called at once, if it is to be written.
        """
        now, trusted = time.monotonic(), name not in self._distrusted
        if not self._writes or (trusted and now - self._seen.get(name, -_USED_SECONDS) < _USED_SECONDS):
            return
        if len(self._seen) > _MOST_SEEN:
            self._seen.clear()
        if trusted and self._touch(name):
            self._seen[name] = now
        elif self._n_pending < _MOST_PENDING_BYTES:
            self._seen[name] = now
            data = content()
            with self._lock:
                self._n_pending += len(data)
            self._queue.put((name, data))

    def close(self) -> None:
        """Return when all that was offered is written."""
        self._queue.put(None)
        self._thread.join()

    def _folder_of(self, identity: bytes) -> Path:
        return self._directory / _BLOCKS / identity.hex()

    def _path(self, folder: Path, name: BlockName) -> Path:
        group, key = name
        return folder / f"{key.hex()}-{group}"

    def _touch(self, name: BlockName) -> bool:
        """Note that a block is in use; False where it is not there."""
        if self._folder is None:
            return False
        try:
            os.utime(self._path(self._folder, name))
        except FileNotFoundError:
            return False
        except OSError:
            pass  # it is there, and cannot be changed
        return True

    def _read(self, name: BlockName) -> bytes | None:
        assert self._folder is not None
        path = self._path(self._folder, name)
        content = read_entry(path, _place(path))
        if content is not None:
            self._touch(name)
        return content

    def _run(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = self._folder or self._folder_of(self._identity.compute(self._directory / _MODELS))
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._give_up(error)
        else:
            self._folder = folder
        while (entry := self._queue.get()) is not None:
            name, content = entry
            if self._folder is not None and self._writes:
                try:
                    self._write(name, self._path(self._folder, name), content)
                except OSError as error:
                    self._give_up(error)
            with self._lock:
                self._n_pending -= len(content)

    def _write(self, name: BlockName, path: Path, content: bytes) -> None:
        if name not in self._distrusted and path.exists():
            return
        if self._space.make_room(len(content)):
            self._space.take(write_entry(path, _place(path), content))
            self._distrusted.discard(name)

    def _give_up(self, error: OSError) -> None:
        """Write nothing any more, and say so, once; what is there is still read."""
        self._writes = False
        _LOGGER.warning(
            "Nothing more is added to the prefix cache in %s: %s. Free some space or take another cache_dir.",
            self._directory,
            error.strerror or error,
        )


def _place(path: Path) -> bytes:
    """What an entry's seal covers besides its content: identity, key and group."""
    return f"{path.parent.name}/{path.name}".encode()
