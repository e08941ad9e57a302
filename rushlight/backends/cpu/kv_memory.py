"""Memory of the paged cache."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Limits
from rushlight.backends.cache import BLOCK_TOKENS, AttentionCache, CacheLayout, CacheSpec, RecurrentCache
from rushlight.backends.cpu.memory import Region
from rushlight.backends.cpu.recording import CacheAddress
from rushlight.errors import UnsupportedModel

KV_BYTES = {"f16": 2, "f32": 4}


class KVMemory:
    """Keys and values of every layer: a region of each, block after block."""

    def __init__(self, layout: CacheLayout, limits: Limits) -> None:
        """Reserve it.

        Raises:
            UnsupportedModel: a layer is recurrent.
            OutOfMemory: the system refuses.
        """
        self._layout = layout
        itemsize = KV_BYTES[limits.kv_dtype]
        self._regions: dict[tuple[int, bool], Region] = {}
        self._block_bytes: dict[tuple[int, bool], int] = {}
        for layer, spec in enumerate(layout.specs):
            if isinstance(spec, RecurrentCache):
                raise UnsupportedModel(
                    "The cpu backend has no recurrent layers yet; use the reference backend."
                )
            n_blocks = limits.n_blocks[layout.group_of_layer[layer]]
            for values in (False, True):
                n_bytes = _block_bytes(spec, values, itemsize)
                self._block_bytes[layer, values] = n_bytes
                self._regions[layer, values] = Region(n_bytes * n_blocks, "the KV cache")

    def address(self, item: CacheAddress) -> int:
        """Where a layer's keys or values begin."""
        return self._regions[item.layer, item.values].address

    def bytes_of(self, layer: int, values: bool) -> npt.NDArray[np.uint8]:
        """All bytes of a layer's keys or values."""
        return self._regions[layer, values].bytes

    def copy(self, group: int, source: int, target: int) -> None:
        """Copy a block in every layer of a group."""
        for layer in self._layout.groups[group].layers:
            for values in (False, True):
                blocks = self.bytes_of(layer, values).reshape(-1, self._block_bytes[layer, values])
                blocks[target] = blocks[source]


def block_bytes(spec: CacheSpec, kv_dtype: str) -> int:
    """Bytes of one block of a layer: of keys and values, or of a whole state."""
    if isinstance(spec, RecurrentCache):
        return 4 * spec.block_values()
    return sum(_block_bytes(spec, values, KV_BYTES[kv_dtype]) for values in (False, True))


def _block_bytes(spec: AttentionCache, values: bool, itemsize: int) -> int:
    columns = -(-spec.head_dim_v // 16) * 16 if values else spec.head_dim_k
    return BLOCK_TOKENS * spec.n_head_kv * columns * itemsize
