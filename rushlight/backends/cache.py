"""What a layer keeps between steps, and how layers that keep the same kind share block tables.

A sequence's memory is cut into blocks of `BLOCK_TOKENS` positions. Layers that free and reuse blocks by
the same rule form a `CacheGroup`; a sequence has one block table per group, and block ``b`` of a group
means row ``b`` of the pool of every layer in it. Source of the scheme: PagedAttention (Kwon et al. 2023,
section 4) and vLLM's KV cache groups for models that mix layer kinds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

BLOCK_TOKENS = 32
VECTOR = 16


def whole_vectors(n: int) -> int:
    """The values of the vectors of `VECTOR` values that hold n of them."""
    return -(-n // VECTOR) * VECTOR


class AttentionCache(NamedTuple):
    """Keys and values of a layer.

    Attributes:
        n_head_kv: key-value heads.
        head_dim_k, head_dim_v: columns of a key head and of a value head; no values (0) where keys are only
            looked up, as `Ops.top_positions` does.
        window: how many positions a token sees up to its own, which is the last of them; 0: every one.
        chunked: of these it sees no more than those since the last multiple of `window`.
        ahead: how many positions it sees behind its own, as far as the step has them; 0: attention is causal.
    """

    n_head_kv: int
    head_dim_k: int
    head_dim_v: int
    window: int = 0
    chunked: bool = False
    ahead: int = 0

    def block_values(self) -> int:
        """Most values in a block: keys of `BLOCK_TOKENS` positions, and their values in whole vectors."""
        return BLOCK_TOKENS * self.n_head_kv * (self.head_dim_k + whole_vectors(self.head_dim_v))


class RecurrentCache(NamedTuple):
    """What a recurrent or short-convolution layer keeps of a sequence: one block holds all of it, in float32.

    Attributes:
        state: shape of the recurrence's state; (0,): the layer has none.
        conv: shape of what `Ops.short_conv` keeps, its last inputs (taps - 1, columns); (0, 0): none.
    """

    state: tuple[int, ...]
    conv: tuple[int, int] = (0, 0)

    def block_values(self) -> int:
        """Most values in a block: the state, its rows in whole vectors, and convolution inputs."""
        *rows, n = self.state
        return math.prod(rows) * whole_vectors(n) + math.prod(self.conv)


CacheSpec = AttentionCache | RecurrentCache


class CacheGroup(NamedTuple):
    """Layers that share block tables.

    Attributes:
        layers: their indices, ascending.
        window: positions that stay visible, 0 for all of them.
        recurrent: a block is a state, not a run of positions: a sequence holds one, plus checkpoints.
    """

    layers: tuple[int, ...]
    window: int = 0
    recurrent: bool = False


class CacheLayout(NamedTuple):
    """The groups of a model's layers, and the group of each layer."""

    specs: tuple[CacheSpec, ...]
    groups: tuple[CacheGroup, ...]
    group_of_layer: tuple[int, ...]

    @classmethod
    def of(cls, specs: tuple[CacheSpec, ...]) -> CacheLayout:
        """Group the layers of a model, in the order in which each kind first appears."""
        kinds: dict[tuple[bool, int], list[int]] = {}
        for layer, spec in enumerate(specs):
            kind = (True, 0) if isinstance(spec, RecurrentCache) else (False, spec.window)
            kinds.setdefault(kind, []).append(layer)
        groups = tuple(
            CacheGroup(tuple(layers), window, recurrent) for (recurrent, window), layers in kinds.items()
        )
        group_of = {layer: g for g, group in enumerate(groups) for layer in group.layers}
        return cls(specs, groups, tuple(group_of[layer] for layer in range(len(specs))))

    @property
    def is_causal(self) -> bool:
        """Whether no token sees one that comes after it; otherwise a step must hold whole sequences."""
        return not any(isinstance(spec, AttentionCache) and spec.ahead for spec in self.specs)

    def block_bytes(self, group: int, kv_itemsize: int) -> int:
        """Most bytes of a block of `group` over all its layers; `kv_itemsize` is 2 (f16) or 4 (f32)."""
        size = 4 if self.groups[group].recurrent else kv_itemsize
        return sum(self.specs[layer].block_values() * size for layer in self.groups[group].layers)
