"""The places of strings in an array, found without making an object of each string."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from rushlight.gguf.strings import StringArray

_FEW = 4096
"""Look-ups until a plain dictionary pays for itself."""

_BUCKET_BITS = 16
_CROWDED = 32
"""Strings in a bucket, of which a file can make any number, from where on sorting finds equal ones sooner."""

_WORD = struct.Struct("<Q")
_MASK = (1 << 64) - 1
# Odd numbers without a pattern: what two different strings are multiplied by is hardly ever the same in sum.
_LAST, _BEFORE, _SIZE = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9

Uint64Array = npt.NDArray[np.uint64]


class StringIndex(Mapping[str, int]):
    """Every string of an array to its place, the first one of equals.

    A dictionary of 262,144 tokens takes a tenth of a second and 40 MB, and a short prompt looks a hundred of
    them up. Here each string has a key, made of its length and last 16 bytes by NumPy for all of them at
    once, and lies in a bucket by the key's first bits. After `_FEW` look-ups a dictionary takes over. Safe to
    use from several threads.

    Args:
        strings: kept, not copied.
    """

    def __init__(self, strings: StringArray) -> None:
        self._strings = strings
        self._keys = _keys(strings)
        buckets = (self._keys >> np.uint64(64 - _BUCKET_BITS)).astype(np.uint16)
        self._places = np.argsort(buckets, kind="stable")  # of 16 bits, which takes one pass
        sizes = np.bincount(buckets, minlength=1 << _BUCKET_BITS)
        self._starts = np.concatenate(([0], np.cumsum(sizes)))
        self._n_lookups = 0
        self._table: dict[str, int] | None = None

    def duplicate(self) -> tuple[int, int] | None:
        """The places of two equal strings, or None if there are none."""
        for key in self._repeated():
            seen: dict[str, int] = {}
            for place in self._having(key):
                first = seen.setdefault(self._strings[place], place)
                if first != place:
                    return first, place
        return None

    def __len__(self) -> int:
        return len(self._dictionary())

    def __iter__(self) -> Iterator[str]:
        return iter(self._dictionary())

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self._find(text) is not None

    def __getitem__(self, text: str) -> int:
        place = self._find(text)
        if place is None:
            raise KeyError(text)
        return place

    def _find(self, text: str) -> int | None:
        if self._table is not None:
            return self._table.get(text)
        self._n_lookups += 1
        if self._n_lookups > _FEW:
            return self._dictionary().get(text)
        try:
            key = _key(text.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:  # other surrogates than those of bytes, which no string has
            return None
        places = self._having(key)
        self._n_lookups += len(places)  # strings that a file made to share a key must not cost more and more
        return next((place for place in places if self._strings[place] == text), None)

    def _repeated(self) -> set[int]:
        """The keys of more than one string."""
        ordered, largest = self._keys[self._places], int(np.diff(self._starts).max())
        if largest > _CROWDED:
            ordered, largest = np.sort(ordered), 2
        pairs = ((ordered[apart:], ordered[:-apart]) for apart in range(1, min(largest, len(ordered))))
        return {key for one, other in pairs for key in one[one == other].tolist()}

    def _having(self, key: int) -> list[int]:
        """The places of the strings that have a key, ascending."""
        bucket = key >> (64 - _BUCKET_BITS)
        places = self._places[self._starts[bucket] : self._starts[bucket + 1]]
        found: list[int] = places[self._keys[places] == np.uint64(key)].tolist()
        return found

    def _dictionary(self) -> dict[str, int]:
        if self._table is None:
            strings = self._strings.tolist()
            n = len(strings)
            # Of equal strings the first counts, so the last to be stored is the first.
            self._table = dict(zip(reversed(strings), range(n - 1, -1, -1), strict=True))
        return self._table


def _keys(strings: StringArray) -> Uint64Array:
    """`_key` of every string: uint64 [n]."""
    ends, stored = strings.ends, np.frombuffer(strings.encoded, np.uint8)
    if not len(ends):
        return np.empty(0, np.uint64)
    starts = np.concatenate(([0], ends[:-1]))
    words = np.ndarray(len(stored) - 7, "<u8", stored, strides=(1,))  # the 8 bytes from each byte on
    last, before = words[ends - 8], words[np.maximum(ends - 16, starts)]
    keys: Uint64Array = (
        last * np.uint64(_LAST) + before * np.uint64(_BEFORE) + words[starts] * np.uint64(_SIZE)
    )
    return keys


def _key(string: bytes) -> int:
    """A number made of a string's length, its last 8 bytes and the 8 before; the length stands before all."""
    stored = _WORD.pack(len(string)) + string
    last = _WORD.unpack_from(stored, len(stored) - 8)[0]
    before = _WORD.unpack_from(stored, max(len(stored) - 16, 0))[0]
    return (last * _LAST + before * _BEFORE + len(string) * _SIZE) & _MASK
