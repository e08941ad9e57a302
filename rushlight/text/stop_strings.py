"""Look for several strings in a text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Finds the first stop string to be complete, however the text is cut into pieces.

    Knuth, Morris and Pratt's matching for each string, so every character is looked at once.

    Args:
        strings: what to look for, none empty.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings = tuple(dict.fromkeys(strings))
        self._borders = [_borders(string) for string in self._strings]
        self._matched = [0] * len(self._strings)

    @property
    def n_pending(self) -> int:
        """How many of the last characters may be the beginning of a string."""
        return max(self._matched, default=0)

    def feed(self, text: str) -> tuple[int, str] | None:
        """Take in more text.

        Returns:
            None, or where in `text` the first complete string ends, and which it is; of several that end
            there, the longest.
        """
        if not self._strings:
            return None
        for i, character in enumerate(text):
            complete = ""
            for k, string in enumerate(self._strings):
                n = self._advance(k, character)
                if n == len(string) > len(complete):
                    complete = string
            if complete:
                return i + 1, complete
        return None

    def _advance(self, k: int, character: str) -> int:
        string, borders, n = self._strings[k], self._borders[k], self._matched[k]
        while n and (n == len(string) or string[n] != character):
            n = borders[n - 1]
        if string[n] == character:
            n += 1
        self._matched[k] = n
        return n


def _borders(string: str) -> list[int]:
    """For each prefix, the length of its longest proper prefix that is its suffix too."""
    borders = [0] * len(string)
    n = 0
    for i in range(1, len(string)):
        while n and string[i] != string[n]:
            n = borders[n - 1]
        if string[i] == string[n]:
            n += 1
        borders[i] = n
    return borders
