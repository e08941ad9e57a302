"""SentencePiece vocabularies (``tokenizer.ggml.model = "llama"``): merging by score."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.text.merge import merge
from rushlight.text.vocabulary import SPACE_MARK, Vocabulary
from rushlight.text.word_cache import WordCache

_SHORT = 256  # characters that are merged sooner than a vocabulary is searched for where to cut them


class SPMEncoder:
    """Encodes plain text as llama.cpp does (``llm_tokenizer_spm_session`` in ``src/llama-vocab.cpp``).

    Neighbours are joined while the joined text is a token, the highest score first and of equal scores the
    leftmost; characters without a token become byte tokens. That is not SentencePiece's Unigram search.
    Merging never crosses a point that no token crosses, so a text is cut before the space marks where that
    holds, and the words between are merged one by one and remembered. A short text is merged as one.

    Args:
        vocabulary: the tokens.
        scores: float [n_vocab], finite, the score of each token.
        add_space_prefix: a text at the start, or after a special token, gets a space before it.
    """

    def __init__(
        self, vocabulary: Vocabulary, scores: npt.NDArray[np.floating[Any]], add_space_prefix: bool
    ) -> None:
        self._vocabulary = vocabulary
        self._ranks = _Ranks(vocabulary.ids, scores)
        self._add_space_prefix = add_space_prefix
        self._words = WordCache(self._encode_word)

    def encode(self, text: str, at_start: bool) -> list[int]:
        """The tokens of a plain text.

        Args:
            text: not empty, without special tokens.
            at_start: nothing or a special token stands before it.
        """
        prefix = " " if self._add_space_prefix and at_start else ""
        escaped = (prefix + text).replace(" ", SPACE_MARK)
        if len(escaped) <= _SHORT:
            return self._encode_word(escaped)
        ids: list[int] = []
        for word in self._boundary.split(escaped):
            ids += self._words[word]
        return ids

    @cached_property
    def _boundary(self) -> re.Pattern[str]:
        return _word_boundary(self._vocabulary.texts)

    def _encode_word(self, word: str) -> list[int]:
        ids = self._vocabulary.ids
        out: list[int] = []
        for symbol in merge(word, self._ranks, ""):
            id = ids.get(symbol)
            out += self._bytes_of(symbol) if id is None else [id]
        return out

    def _bytes_of(self, symbol: str) -> list[int]:
        """Byte tokens, or the one-character tokens of old files; a byte with neither is dropped."""
        ids = self._vocabulary.ids
        found = (ids.get(f"<0x{byte:02X}>", ids.get(chr(byte))) for byte in symbol.encode("utf-8"))
        return [id for id in found if id is not None]


class _Ranks:
    """The rank of a token, by its text: tokens of one score share it, the highest score has the smallest."""

    def __init__(self, ids: Mapping[str, int], scores: npt.NDArray[np.floating[Any]]) -> None:
        self._ids = ids
        # The bits of an IEEE 754 number, read as an integer, are in the order of the numbers; below zero the
        # order is reversed. Adding zero makes one of the two zeros.
        bits = (0.0 - scores.astype(np.float64)).view(np.int64)
        ordered = np.where(bits < 0, bits ^ np.int64(2**63 - 1), bits)
        self._ranks = ordered.view(np.uint64) ^ np.uint64(1 << 63)

    def get(self, text: str) -> int | None:
        """The rank, or None for a text that is no token."""
        id = self._ids.get(text)
        return None if id is None else int(self._ranks[id])


def _word_boundary(texts: Sequence[str]) -> re.Pattern[str]:
    """Matches, without length, the points before a space mark that no token crosses."""
    code_points = np.frombuffer("\0".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    before_marks = code_points[np.flatnonzero(code_points[1:] == ord(SPACE_MARK))]
    crossed = "".join(re.escape(chr(c)) for c in {*np.unique(before_marks).tolist(), ord(SPACE_MARK)})
    return re.compile(f"(?<=[^{crossed}])(?={SPACE_MARK})")
