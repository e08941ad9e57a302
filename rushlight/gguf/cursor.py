"""Bounds-checked reading of a GGUF header, one value after another."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.errors import InvalidFile
from rushlight.gguf.string_scan import string_ends
from rushlight.gguf.strings import StringArray
from rushlight.gguf.values import NUMBER_DTYPES, ValueType

# The largest vocabularies have a quarter of a million tokens, their merges half a million. A damaged count
# above this is refused before anything is read for it.
MAX_ARRAY_LENGTH = 1 << 24

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class Cursor:
    """A position in the bytes of a file; every read is checked against the end first.

    Args:
        data: the whole file.
        path: the file's name, for messages.

    Every method raises `InvalidFile` when the file ends too soon or the bytes are not what the format allows.
    """

    def __init__(self, data: memoryview, path: Path) -> None:
        self._data = data
        self._path = path
        self.position = 0

    @property
    def left(self) -> int:
        """Bytes between the position and the end of the file."""
        return len(self._data) - self.position

    def error(self, message: str) -> InvalidFile:
        """An error that names the file, to be raised by the caller."""
        return InvalidFile(f"{self._path}: {message}")

    def take(self, n: int, what: str) -> memoryview:
        """The next `n` bytes."""
        start = self.position
        if n > len(self._data) - start:
            raise self.error(
                f"{what} needs {n} bytes at offset {start}, but the file ends after {self.left}; "
                "it is truncated or damaged, download it again."
            )
        self.position = start + n
        return self._data[start : self.position]

    def unpack(self, values: struct.Struct, what: str) -> tuple[int, ...]:
        """The next few integers."""
        return values.unpack(self.take(values.size, what))

    def u32(self, what: str) -> int:
        """The next unsigned 32-bit integer."""
        value: int = _U32.unpack(self.take(4, what))[0]
        return value

    def u64(self, what: str) -> int:
        """The next unsigned 64-bit integer."""
        value: int = _U64.unpack(self.take(8, what))[0]
        return value

    def count(self, what: str, least_bytes: int) -> int:
        """The next 64-bit count, of things that take `least_bytes` or more each in the rest of the file."""
        n = self.u64(f"the number of {what}")
        if n > self.left // least_bytes:
            raise self.error(
                f"the header promises {n} {what}, but only {self.left} bytes follow; "
                "the file is truncated or damaged."
            )
        return n

    def name(self, what: str, longest: int) -> str:
        """The next string, as the name of something: 1 to `longest` bytes of valid UTF-8."""
        n = self.u64(f"the length of {what}")
        if not 1 <= n <= longest:
            raise self.error(f"{what} is {n} bytes long; expected 1 to {longest}.")
        try:
            return str(self.take(n, what), "utf-8")
        except UnicodeDecodeError:
            raise self.error(f"{what} is not valid UTF-8.") from None

    def string(self, what: str) -> str:
        """The next string; bytes that are not UTF-8 become lone surrogates (`surrogateescape`)."""
        return str(self.take(self.u64(f"the length of {what}"), what), "utf-8", "surrogateescape")

    def number(self, type: ValueType, what: str) -> int | float | bool:
        """The next scalar of a fixed-size type."""
        value: int | float | bool = self.numbers(type, 1, what)[0].item()
        return value

    def numbers(self, type: ValueType, n: int, what: str) -> npt.NDArray[Any]:
        """The next `n` scalars of a fixed-size type: a read-only array [n] that owns its bytes."""
        dtype = NUMBER_DTYPES[type]
        data = bytes(self.take(n * dtype.itemsize, what))
        if type is ValueType.BOOL and (worst := max(data, default=0)) > 1:
            raise self.error(f"{what} holds the byte {worst} as a bool; expected 0 or 1.")
        return np.frombuffer(data, dtype)

    def strings(self, n: int, what: str) -> StringArray:
        """The next `n` strings, found but not decoded."""
        if n * 8 > self.left:
            raise self.error(f"{what} promises {n} strings, but only {self.left} bytes follow.")
        start, size = self.position, len(self._data)
        ends = string_ends(self._data, start, n)
        n_whole = int(np.searchsorted(ends, size, "right"))
        if n_whole < n:
            raise self.error(
                f"{what} promises {n} strings, but number {n_whole} runs past the end "
                "of the file; it is truncated or damaged, download it again."
            )
        self.position = int(ends[-1]) if n else start
        return StringArray(bytes(self._data[start : self.position]), ends - start)
