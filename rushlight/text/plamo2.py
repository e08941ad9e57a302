"""PLaMo 2's vocabularies (``tokenizer.ggml.model = "plamo2"``): the cheapest cut of a text into tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.errors import InvalidFile
from rushlight.text.prefixes import Prefixes
from rushlight.text.vocabulary import TokenType, Vocabulary

_SCALE = 1e4
_INVALID = -20_000_000  # no token scores as little
_MOST = 2**31 - 1
_UNKNOWN_COST = 10_000_000
_BYTE_ORDER_MARK = "\ufeff"


class PLaMo2Encoder:
    """Encodes plain text as llama.cpp does (``llm_tokenizer_plamo2`` in ``src/llama-vocab.cpp``).

    Scores are rounded to whole ten-thousandths, so that sums are exact. From the end of a text to its
    beginning, each place gets its cheapest cut, of equal ones that with the longest token; a character
    may also be spelled in bytes, at a high cost. A byte order mark at the beginning is dropped.

    Args:
        vocabulary: the tokens, among them one for each byte.
        scores: float [n_vocab], the score of each token.

    Raises:
        InvalidFile: a byte has no token, or a score is beyond what llama.cpp can hold.
    """

    def __init__(self, vocabulary: Vocabulary, scores: npt.NDArray[np.floating[Any]]) -> None:
        found = {vocabulary.texts[id]: id for id in vocabulary.ids_of_types(TokenType.BYTE)}
        names = [f"<0x{byte:02X}>" for byte in range(256)]
        missing = [name for name in names if name not in found]
        if missing:
            raise InvalidFile(f"The vocabulary has no token {missing[0]}; it must have one for each byte.")
        self._bytes = [found[name] for name in names]
        scaled = scores.astype(np.float64) * _SCALE
        rounded = np.trunc(scaled + np.copysign(0.5, scaled))
        if np.abs(rounded).max() > _MOST:
            raise InvalidFile(
                f"tokenizer.ggml.scores holds {scores[np.abs(rounded).argmax()]}; expected scores within "
                f"{_MOST / _SCALE:.0f} of 0."
            )
        self._costs: list[int] = (-rounded).astype(np.int64).tolist()
        is_byte = np.frombuffer(vocabulary.types, np.uint8) == TokenType.BYTE
        usable = np.flatnonzero((rounded > _INVALID) & ~is_byte).tolist()
        self._prefixes = Prefixes({vocabulary.texts[id]: id for id in usable})

    def encode(self, text: str, at_start: bool) -> list[int]:
        """The tokens of a plain text; `at_start` makes no difference here."""
        text = text.removeprefix(_BYTE_ORDER_MARK)
        cuts, ids, place = self._cheapest(text), [], 0
        while place < len(text):
            end, id = cuts[place]
            ids += [self._bytes[byte] for byte in text[place].encode()] if id is None else [id]
            place = end
        return ids

    def _cheapest(self, text: str) -> list[tuple[int, int | None]]:
        """The token to take at each place: where it ends and its id, None to spell the character in bytes."""
        costs = [0] * (len(text) + 1)
        cuts: list[tuple[int, int | None]] = [(0, None)] * len(text)
        for start in range(len(text) - 1, -1, -1):
            ways: list[tuple[int, int | None]] = [
                *reversed(self._prefixes.at(text, start)),
                (start + 1, None),
            ]
            prices = [costs[end] + (_UNKNOWN_COST if id is None else self._costs[id]) for end, id in ways]
            costs[start] = min(prices)
            cuts[start] = ways[prices.index(costs[start])]
        return cuts
