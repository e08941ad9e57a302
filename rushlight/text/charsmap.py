"""SentencePiece's precompiled normalization: longest prefixes of a text and what replaces them."""

from __future__ import annotations

import numpy as np

from rushlight.errors import InvalidFile

_VALUE = (1 << 31) - 1
_LABEL = (1 << 31) | 0xFF


class CharsMap:
    """The rules of ``tokenizer.ggml.precompiled_charsmap``.

    The bytes hold the length of a double array (uint32), the array (uint32 each: a transition in bits 10 to
    30, shifted by 8 more if bit 9 is set; the byte it is for in bits 0 to 7; in bit 8 whether a rule ends
    here), and replacements, each ended by a zero byte. Source: ``normalizer.cc`` of SentencePiece
    (https://github.com/google/sentencepiece) and Darts-clone's ``darts.h``.

    Args:
        raw: the bytes; none: nothing is replaced.

    Raises:
        InvalidFile: the array does not fit into the bytes.
    """

    def __init__(self, raw: bytes) -> None:
        self._units: list[int] = []
        self._replacements = b""
        if not raw:
            return
        n_bytes = int.from_bytes(raw[:4], "little")
        if len(raw) < 4 or n_bytes + 4 >= len(raw):
            raise InvalidFile(
                f"tokenizer.ggml.precompiled_charsmap has {len(raw)} bytes, but an array of {n_bytes} in it."
            )
        self._units = np.frombuffer(raw, "<u4", n_bytes // 4, offset=4).tolist()
        self._replacements = raw[4 + n_bytes :]

    def __call__(self, text: str) -> str:
        """The normalized text."""
        if not self._units:
            return text
        data, parts, start = text.encode(), [], 0
        while start < len(data):
            end, value = self._longest(data, start)
            if end > start:
                parts.append(self._replacement(value))
            else:
                end = _end_of_character(data, start)
                parts.append(data[start:end])
            start = end
        return b"".join(parts).decode("utf-8", "replace")

    def _longest(self, data: bytes, start: int) -> tuple[int, int]:
        """Where the longest rule from `start` on ends, `start` if there is none, and its replacement."""
        end, value = start, 0
        place = _transition(self._unit(0))
        for i in range(start, len(data)):
            byte = data[i]
            place ^= byte
            if byte == 0 or (unit := self._unit(place)) & _LABEL != byte:
                break
            place ^= _transition(unit)
            if unit >> 8 & 1:
                end, value = i + 1, self._unit(place) & _VALUE
        return end, value

    def _unit(self, place: int) -> int:
        if place >= len(self._units):
            raise InvalidFile("tokenizer.ggml.precompiled_charsmap refers to a place outside of its array.")
        return self._units[place]

    def _replacement(self, place: int) -> bytes:
        end = self._replacements.find(b"\0", place)
        if end < 0:
            raise InvalidFile("tokenizer.ggml.precompiled_charsmap names a replacement that does not end.")
        return self._replacements[place:end]


def _transition(unit: int) -> int:
    return unit >> 10 << ((unit & 1 << 9) >> 6)


def _end_of_character(data: bytes, start: int) -> int:
    end = start + 1
    while end < len(data) and data[end] & 0xC0 == 0x80:
        end += 1
    return end
