"""Find special tokens in a text before the rest of it is tokenized."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rushlight.gguf.strings import StringArray

# There are thousands of tokens ("<unused99>"), so a text is searched for their first bytes, all at once.
_HEAD = 4
_SPACES = " \t\n\v\f\r"


class SpecialText(NamedTuple):
    """A token that is recognized by its text.

    Attributes:
        text: how it is written.
        id: its token id.
        hidden: recognized only where special tokens are parsed (control and unknown tokens); user-defined
            tokens are recognized always.
        strip_left: spaces before it are dropped.
        strip_right: spaces after it are dropped.
    """

    text: str
    id: int
    hidden: bool
    strip_left: bool = False
    strip_right: bool = False


class Partition:
    """Cuts a text at its special tokens, as ``tokenizer_st_partition`` of llama.cpp does.

    The longest token is looked for first, in the whole text, then the next in what is left; where tokens
    overlap this differs from taking the leftmost.

    Args:
        texts: the texts of the vocabulary.
        ids: the tokens to recognize.
        token: all that is to know of one of them, by its id; asked for those alone that a text may hold.
    """

    def __init__(self, texts: StringArray, ids: Sequence[int], token: Callable[[int], SpecialText]) -> None:
        stored = np.frombuffer(texts.encoded, np.uint8)
        which = np.array(ids, np.intp)
        begins = np.concatenate(([0], texts.ends))[which] + 8
        sizes = texts.ends[which] - begins
        order = np.argsort(-sizes, kind="stable")  # the longest first
        self._ids, self._token = which[order], token
        self._is_short = sizes[order] < _HEAD
        self._heads = _words(stored)[np.minimum(begins[order], max(len(stored) - _HEAD, 0))]

    def __call__(self, text: str, parse_special: bool) -> list[str | int]:
        """The text as pieces of plain text (never empty) and ids of special tokens.

        Args:
            text: any text.
            parse_special: whether hidden tokens are recognized too.
        """
        fragments: list[str | int] = [text] if text else []
        for token in self._present(text):
            if parse_special or not token.hidden:
                fragments = [part for fragment in fragments for part in _cut(fragment, token)]
        return fragments

    def _present(self, text: str) -> list[SpecialText]:
        """The tokens that occur in a text, the longest first."""
        raw = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
        possible = self._is_short
        if len(raw) >= _HEAD:
            windows = np.sort(_words(raw))
            nearest = windows[np.minimum(windows.searchsorted(self._heads), len(windows) - 1)]
            possible = possible | (nearest == self._heads)
        tokens = map(self._token, self._ids[possible].tolist())
        return [token for token in tokens if token.text in text]


def _words(stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """The `_HEAD` bytes from each byte on."""
    return np.ndarray(max(len(stored) - _HEAD + 1, 0), "<u4", stored, strides=(1,))


def _cut(fragment: str | int, token: SpecialText) -> list[str | int]:
    if isinstance(fragment, int) or token.text not in fragment:
        return [fragment]
    parts: list[str | int] = []
    first, *others = fragment.split(token.text)
    texts = [first, *(text.lstrip(_SPACES) if token.strip_right else text for text in others)]
    for i, text in enumerate(texts):
        is_last = i == len(texts) - 1
        plain = text.rstrip(_SPACES) if token.strip_left and not is_last else text
        if plain:
            parts.append(plain)
        if not is_last:
            parts.append(token.id)
    return parts
