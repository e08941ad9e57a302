"""A metadata array of strings that decodes each string only when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

# A byte that UTF-8 never contains, so only a damaged string can hold it, and what it decodes to.
_SEPARATOR = 0xFF
_DECODED_SEPARATOR = "\udcff"


class StringArray(Sequence[str]):
    """The strings of one metadata array: 262,144 tokens cost a few megabytes and no decoding.

    Token pieces need not be valid UTF-8 (byte-level vocabularies split characters), so a byte that is
    not part of a valid sequence becomes a lone surrogate (PEP 383 `surrogateescape`) in the `str`;
    `raw` gives the bytes as stored.

    Args:
        encoded: the array's elements as GGUF stores them: each an 8-byte length, then the bytes.
        ends: int64 [n], the offset in `encoded` at which each element ends.
    """

    __slots__ = ("_encoded", "_ends")

    def __init__(self, encoded: bytes, ends: npt.NDArray[np.int64]) -> None:
        self._encoded = encoded
        self._ends = ends

    @classmethod
    def of(cls, strings: Iterable[str]) -> StringArray:
        """An array of given strings.

        Raises:
            UnicodeEncodeError: a string has a surrogate that stands for no byte.
        """
        raw = [string.encode("utf-8", "surrogateescape") for string in strings]
        ends = np.cumsum([8 + len(item) for item in raw], dtype=np.int64)
        return cls(b"".join(len(item).to_bytes(8, "little") + item for item in raw), ends)

    @property
    def encoded(self) -> bytes:
        """All elements as GGUF stores them: lengths and bytes, without the array's own header."""
        return self._encoded

    @property
    def ends(self) -> npt.NDArray[np.int64]:
        """The offset in `encoded` at which each element ends: int64 [n]."""
        return self._ends

    def __len__(self) -> int:
        return len(self._ends)

    def raw(self, i: int) -> bytes:
        """The bytes of element `i`. Raises IndexError outside ``-n <= i < n``."""
        if i < 0:
            i += len(self._ends)
        if not 0 <= i < len(self._ends):
            raise IndexError(f"string {i} of an array of {len(self._ends)}")
        start = int(self._ends[i - 1]) + 8 if i else 8
        return self._encoded[start : int(self._ends[i])]

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> list[str]: ...
    def __getitem__(self, i: int | slice) -> str | list[str]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        return self.raw(i).decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        encoded, start = self._encoded, 8
        for end in self._ends.tolist():
            yield encoded[start:end].decode("utf-8", "surrogateescape")
            start = end + 8

    def tolist(self) -> list[str]:
        """All strings at once, several times faster than one by one."""
        if not len(self._ends):
            return []
        stored = np.frombuffer(self._encoded, np.uint8).copy()
        starts = np.concatenate(([0], self._ends[:-1]))
        kept = np.ones(len(stored), bool)
        kept[starts[:, None] + np.arange(1, 8)] = False
        stored[starts] = _SEPARATOR
        strings = stored[kept].tobytes().decode("utf-8", "surrogateescape").split(_DECODED_SEPARATOR)[1:]
        return strings if len(strings) == len(self) else list(self)

    def __repr__(self) -> str:
        return f"StringArray(n={len(self)})"
