"""Remember the tokens of words: running text repeats its words."""

from __future__ import annotations

from collections.abc import Callable

_MAX_WORDS = 1 << 16
_MAX_LENGTH = 32


class WordCache:
    """The tokens of a word, computed once. Safe to use from several threads.

    Holds at most 65,536 words of at most 32 characters; when it is full it starts over.

    Args:
        encode: the tokens of a word.
    """

    def __init__(self, encode: Callable[[str], list[int]]) -> None:
        self._encode = encode
        self._known: dict[str, list[int]] = {}

    def __getitem__(self, word: str) -> list[int]:
        ids = self._known.get(word)
        if ids is None:
            ids = self._encode(word)
            if len(word) <= _MAX_LENGTH:
                if len(self._known) >= _MAX_WORDS:
                    self._known = {}
                self._known[word] = ids
        return ids
