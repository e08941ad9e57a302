"""Memory of the paged cache."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Limits
from rushlight.backends.cache import BLOCK_TOKENS, CacheLayout, CacheSpec, RecurrentCache, whole_vectors
from rushlight.backends.check import check_content
from rushlight.backends.cpu.memory import Region
from rushlight.backends.cpu.recording import CacheAddress

KV_BYTES = {"f16": 2, "f32": 4}
_PARTS = 2


class KVMemory:
    """What every layer keeps: a region of each part, block after block."""

    def __init__(self, layout: CacheLayout, limits: Limits) -> None:
        """Reserve it.

        Raises:
            OutOfMemory: the system refuses.
        """
        self._layout = layout
        self._regions: dict[tuple[int, int], Region] = {}
        self._block_bytes: dict[tuple[int, int], int] = {}
        for layer, spec in enumerate(layout.specs):
            n_blocks = limits.n_blocks[layout.group_of_layer[layer]]
            for part, n_bytes in enumerate(_block_bytes(spec, KV_BYTES[limits.kv_dtype])):
                self._block_bytes[layer, part] = n_bytes
                self._regions[layer, part] = Region(n_bytes * n_blocks, "the KV cache")

    def address(self, item: CacheAddress) -> int:
        """Where a part of a layer's cache begins."""
        return self._regions[item.layer, item.part].address

    def bytes_of(self, layer: int, part: int) -> npt.NDArray[np.uint8]:
        """All bytes of a part of a layer's cache."""
        return self._regions[layer, part].bytes

    def copy(self, group: int, source: int, target: int) -> None:
        """Copy a block in every layer of a group."""
        pairs = zip(self._places(group, source), self._places(group, target), strict=True)
        for source_bytes, target_bytes in pairs:
            target_bytes[:] = source_bytes

    def read(self, group: int, block: int) -> bytes:
        """The bytes of a block, of one layer of a group after the other."""
        return b"".join(place.data for place in self._places(group, block))

    def write(self, group: int, block: int, content: bytes) -> None:
        """Write what `read` gave.

        Raises:
            InvalidParameter: it has another size.
        """
        places = list(self._places(group, block))
        check_content(content, sum(map(len, places)), group)
        given = np.frombuffer(content, np.uint8)
        start = 0
        for place in places:
            place[:] = given[start : start + len(place)]
            start += len(place)

    def _places(self, group: int, block: int) -> Iterator[npt.NDArray[np.uint8]]:
        """A block's bytes in each part of each layer of a group."""
        for layer in self._layout.groups[group].layers:
            for part in range(_PARTS):
                n_bytes = self._block_bytes[layer, part]
                yield self.bytes_of(layer, part)[block * n_bytes :][:n_bytes]


def block_bytes(spec: CacheSpec, kv_dtype: str) -> int:
    """Bytes of one block of a layer: of keys and values, or of a whole state."""
    return sum(_block_bytes(spec, KV_BYTES[kv_dtype]))


def _block_bytes(spec: CacheSpec, itemsize: int) -> tuple[int, int]:
    """Bytes of a block of each part, in the order of `CacheAddress.part`."""
    if isinstance(spec, RecurrentCache):
        *rows, n = spec.state
        return 4 * math.prod(rows) * whole_vectors(n), 4 * math.prod(spec.conv)
    padded = whole_vectors(spec.head_dim_v)
    n_rows = BLOCK_TOKENS * spec.n_head_kv
    return n_rows * spec.head_dim_k * itemsize, n_rows * padded * itemsize
