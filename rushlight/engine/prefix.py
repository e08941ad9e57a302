"""Beginnings of sequences, by the content of their full blocks."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.engine.sequence import Sequence


class Prefix(NamedTuple):
    """What the cache holds of a sequence's beginning.

    Attributes:
        n_tokens: how much of the beginning, a multiple of `BLOCK_TOKENS`.
        tables: one a cache group, as in `Sequence.block_tables`; of a recurrent group the checkpoint.
    """

    n_tokens: int
    tables: tuple[tuple[int, ...], ...]


def block_keys(sequence: Sequence, n: int) -> list[bytes]:
    """Content keys of the first n blocks of a sequence: each a hash of all tokens up to the block's end."""
    keys = sequence.block_keys
    while len(keys) < n:
        start = len(keys) * BLOCK_TOKENS
        tokens = array("i", sequence.token_ids[start : start + BLOCK_TOKENS])
        parent = keys[-1] if keys else b""
        keys.append(blake2b(parent + tokens.tobytes(), digest_size=16).digest())
    return keys[:n]


def run_lengths(keys: list[bytes], has: Callable[[bytes], bool]) -> list[int]:
    """How many blocks there are in a row, up to and with each key."""
    lengths, n = [], 0
    for key in keys:
        n = n + 1 if has(key) else 0
        lengths.append(n)
    return lengths
