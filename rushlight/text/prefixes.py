"""Find the tokens that a text begins with, at any place of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

Text = TypeVar("Text", str, bytes)


class Prefixes(Generic[Text]):
    """The tokens of a vocabulary by their first characters.

    For each pair of characters it is known how long the tokens are that begin with it, so that a place of a
    text costs a few look-ups, however long the longest token is.

    Args:
        ids: the id of each token text; empty texts are left out.
    """

    def __init__(self, ids: Mapping[Text, int]) -> None:
        self._ids: Mapping[Text, int] = ids
        lengths: dict[Text, set[int]] = {}
        for text in ids:
            if len(text) > 1:
                lengths.setdefault(text[:2], set()).add(len(text))
        self._lengths: dict[Text, tuple[int, ...]] = {
            head: tuple(sorted(each)) for head, each in lengths.items()
        }

    def at(self, text: Text, start: int) -> list[tuple[int, int]]:
        """Where each token that stands at `start` ends, and its id; the shortest first."""
        ids = self._ids
        single = ids.get(text[start : start + 1])
        found = [] if single is None else [(start + 1, single)]
        for length in self._lengths.get(text[start : start + 2], ()):
            id = ids.get(text[start : start + length])
            if id is not None and start + length <= len(text):
                found.append((start + length, id))
        return found
