"""Blocks on their way from disk to memory, read by a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

BlockName = tuple[int, bytes]
"""A cache group, and the key of a block's content."""

MOST_BYTES = 256 << 20


class FetchedBlock(NamedTuple):
    """A block that was read."""

    name: BlockName
    content: bytes


class Fetch:
    """Reads blocks in their order, as many as `MOST_BYTES` hold, until one of them cannot be had.

    Args:
        wanted: names of blocks.
        read: the content of one, None where it is missing or damaged.
        distrust: told of such a block and of those behind it, which nobody has looked at.
    """

    def __init__(
        self,
        wanted: Sequence[BlockName],
        read: Callable[[BlockName], bytes | None],
        distrust: Callable[[Sequence[BlockName]], None],
    ) -> None:
        self._wanted, self._read, self._distrust = wanted, read, distrust
        self._found: list[FetchedBlock] = []
        self._done = threading.Event()
        threading.Thread(target=self._run, name="rushlight-disk-read", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Whether all is read, now or within some seconds."""
        return self._done.wait(seconds)

    def result(self) -> list[FetchedBlock]:
        """What was read; to be asked once `wait` says so."""
        return self._found

    def _run(self) -> None:
        n_bytes = 0
        try:
            for i, name in enumerate(self._wanted):
                if n_bytes >= MOST_BYTES:
                    break
                if (content := self._read(name)) is None:
                    self._distrust(self._wanted[i:])
                    break
                self._found.append(FetchedBlock(name, content))
                n_bytes += len(content)
        finally:
            self._done.set()
