"""Memory at fixed addresses: zeroed, page-aligned, committed by the system only where it is touched."""

from __future__ import annotations

import mmap
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from rushlight.errors import OutOfMemory

ALIGNMENT = 64


class Region:
    """A run of anonymous memory; it is given back when the last view of it is gone."""

    def __init__(self, n_bytes: int, purpose: str, *, large_pages: bool = False) -> None:
        """Reserve memory.

        Args:
            n_bytes: its size; 0 is allowed.
            purpose: what it is for, named in the error.
            large_pages: all of it will be written soon. Where the system has larger pages for the asking,
                committing them is several times faster, and so is finding one's way in them.

        Raises:
            OutOfMemory: the system refuses.
        """
        try:
            self._map = _anonymous(max(n_bytes, 1))
        except (OSError, OverflowError, ValueError) as error:
            raise OutOfMemory(
                f"The system refused {n_bytes / 2**20:,.0f} MiB for {purpose}; "
                "choose a smaller context or model."
            ) from error
        if large_pages and hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):  # a kernel without them
                self._map.madvise(mmap.MADV_HUGEPAGE)
        self.bytes: npt.NDArray[np.uint8] = np.frombuffer(self._map, np.uint8, n_bytes)
        self.address: int = self.bytes.ctypes.data
        self.n_bytes = n_bytes


def _anonymous(n_bytes: int) -> mmap.mmap:
    if hasattr(mmap, "MAP_ANONYMOUS"):
        # Python's default is memory shared with child processes: it costs more and has no large pages.
        return mmap.mmap(-1, n_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, n_bytes)


def align(n: int) -> int:
    """The next multiple of `ALIGNMENT`."""
    return -(-n // ALIGNMENT) * ALIGNMENT
