"""Unigram vocabularies (``tokenizer.ggml.model = "t5"``): the likeliest way to cut a text into tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.text.charsmap import CharsMap
from rushlight.text.prefixes import Prefixes
from rushlight.text.vocabulary import SPACE_MARK, TokenType, Vocabulary

_UNKNOWN_PENALTY = np.float32(10)
_MATCHED = (TokenType.NORMAL, TokenType.USER_DEFINED, TokenType.UNUSED)


class UGMEncoder:
    """Encodes plain text as llama.cpp does (``llm_tokenizer_ugm_session`` in ``src/llama-vocab.cpp``).

    A text is normalized, and cut so that the sum of its tokens' scores is the highest. A character without
    a token of its own may also be the unknown token, which scores ten less than the least token; unknown
    tokens side by side become one. Source: Kudo 2018, "Subword Regularization".

    Args:
        vocabulary: the tokens, with the types that the file gives them.
        scores: float [n_vocab], finite, the score of each token; user-defined ones count as 0.
        unk_id: the unknown token.
        charsmap: how characters are normalized.
        add_space_prefix: a text gets a space before its first word.
        merge_spaces: a run of spaces counts as one, and none remain at the end.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        scores: npt.NDArray[np.floating[Any]],
        unk_id: int,
        charsmap: CharsMap,
        add_space_prefix: bool,
        merge_spaces: bool,
    ) -> None:
        types = np.frombuffer(vocabulary.types, np.uint8)
        normal = scores[types == TokenType.NORMAL].astype(np.float32)
        self._unk_id = unk_id
        self._unk_score = float(normal.min(initial=np.float32(0)) - _UNKNOWN_PENALTY)
        self._scores: list[float] = np.where(types == TokenType.USER_DEFINED, 0.0, scores).tolist()
        texts = vocabulary.texts
        self._prefixes = Prefixes({texts[id]: id for id in vocabulary.ids_of_types(*_MATCHED)})
        self._charsmap = charsmap
        self._add_space_prefix = add_space_prefix
        self._merge_spaces = merge_spaces

    def encode(self, text: str, at_start: bool) -> list[int]:
        """The tokens of a plain text; `at_start` makes no difference here."""
        return self._best(self._spaced(self._charsmap(text)))

    def _spaced(self, text: str) -> str:
        """The text with U+2581 for its spaces."""
        if self._merge_spaces:
            return "".join(SPACE_MARK + word for word in text.split(" ") if word)
        words = text.lstrip(" ")
        prefix = SPACE_MARK if self._add_space_prefix and words else ""
        return SPACE_MARK * (len(text) - len(words)) + prefix + words.replace(" ", SPACE_MARK)

    def _best(self, text: str) -> list[int]:
        """The tokens of the highest sum of scores (Viterbi's algorithm)."""
        sums = [0.0, *[float("-inf")] * len(text)]
        last = [(0, self._unk_id)] * (len(text) + 1)  # of the best tokens up to a place: begin and id
        for start in range(len(text)):
            total, found = sums[start], self._prefixes.at(text, start)
            for end, id in found:
                if total + self._scores[id] > sums[end]:
                    sums[end], last[end] = total + self._scores[id], (start, id)
            is_known = bool(found) and found[0][0] == start + 1
            if not is_known and total + self._unk_score > sums[start + 1]:
                sums[start + 1], last[start + 1] = total + self._unk_score, (start, self._unk_id)
        ids: list[int] = []
        end = len(text)
        while end:
            end, id = last[end]
            if id != self._unk_id or ids[-1:] != [id]:
                ids.append(id)
        return ids[::-1]
