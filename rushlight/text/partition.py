"""Find special tokens in a text before the rest of it is tokenized."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

# Thousands of tokens can share a beginning ("<unused"), so texts are searched for beginnings first.
_PREFIX_LENGTH = 4
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
        tokens: the tokens to recognize.
    """

    def __init__(self, tokens: Iterable[SpecialText]) -> None:
        def length(token: SpecialText) -> int:
            return len(token.text.encode("utf-8", "surrogateescape"))

        self._tokens: Sequence[SpecialText] = sorted(tokens, key=length, reverse=True)
        self._by_prefix: dict[str, list[int]] = {}
        for i, token in enumerate(self._tokens):
            self._by_prefix.setdefault(token.text[:_PREFIX_LENGTH], []).append(i)

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
        groups = [group for prefix, group in self._by_prefix.items() if prefix in text]
        return [self._tokens[i] for i in sorted(chain(*groups)) if self._tokens[i].text in text]


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
