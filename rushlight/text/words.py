"""Cut text into the words that byte-pair merging works on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from rushlight.text.ascii_patterns import ascii_pattern
from rushlight.text.pre_tokenizers import DigitGroups

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import Sequence as Splits

Cutter = Callable[[str], list[str]]

_ASCII_DIGITS = re.compile(r"[0-9]+")


class WordSplitter:
    """Applies a pre-tokenizer's cuts in their order.

    Regular expressions run in the `tokenizers` library (Oniguruma), whose Unicode tables may be newer than
    llama.cpp's; code points assigned since then can fall into another category. Text in ASCII is cut by
    Python's ``re`` where that means the same.

    Args:
        cuts: patterns and digit groupings, see `rushlight.text.pre_tokenizers.PreTokenizer`.
    """

    def __init__(self, cuts: Sequence[str | DigitGroups]) -> None:
        self._cutters: list[Cutter] = []
        for is_pattern, run in groupby(cuts, key=lambda cut: isinstance(cut, str)):
            if is_pattern:
                self._cutters.append(_PatternCutter([str(cut) for cut in run]))
            else:
                self._cutters += [_DIGIT_CUTTERS[cut] for cut in run if isinstance(cut, DigitGroups)]

    def __call__(self, text: str) -> list[str]:
        """The words of a text; joined they are the text."""
        pieces: Iterable[str] = [text]
        for cutter in self._cutters:
            pieces = [word for piece in pieces for word in cutter(piece)]
        return list(pieces)


class _PatternCutter:
    """Cuts into the matches of patterns and what lies between them, one pattern after the other."""

    def __init__(self, patterns: list[str]) -> None:
        self._patterns = patterns

    def __call__(self, text: str) -> list[str]:
        if not text.isascii() or None in self._ascii:
            return [word for word, _ in self._library.pre_tokenize_str(text)]
        words = [text]
        for pattern in self._ascii:
            assert pattern is not None
            words = [word for piece in words for word in _isolated(pattern, piece)]
        return words

    @cached_property
    def _ascii(self) -> list[re.Pattern[str] | None]:
        return [ascii_pattern(pattern) for pattern in self._patterns]

    @cached_property
    def _library(self) -> Splits:
        from tokenizers import Regex
        from tokenizers.pre_tokenizers import Sequence as Splits
        from tokenizers.pre_tokenizers import Split

        return Splits([Split(Regex(pattern), "isolated") for pattern in self._patterns])


def _isolated(pattern: re.Pattern[str], text: str) -> list[str]:
    words, end = [], 0
    for match in pattern.finditer(text):
        if match.start() > end:
            words.append(text[end : match.start()])
        words.append(match.group())
        end = match.end()
    return words if end == len(text) else [*words, text[end:]]


def _is_number(character: str) -> bool:
    return unicodedata.category(character)[0] == "N"


def _cut_after_text(text: str) -> list[str]:
    """``"abc1234 56"`` gives ``abc1``, ``234``, `` 56``: llama.cpp leaves the first group with its text."""
    words, head = [], ""
    for is_number, run in groupby(text, key=_is_number):
        piece = "".join(run)
        if not is_number:
            head = piece
            continue
        first = len(piece) % 3 or 3
        words.append(head + piece[:first])
        words += [piece[i : i + 3] for i in range(first, len(piece), 3)]
        head = ""
    return [*words, head] if head else words


def _cut_in_number(text: str) -> list[str]:
    """``"1234567"`` gives ``1``, ``234``, ``567``: a cut wherever a multiple of three digits follows."""
    cuts = [0]
    for match in _ASCII_DIGITS.finditer(text):
        first = match.end() - len(match.group()) // 3 * 3
        cuts += [i for i in range(first, match.end(), 3) if i > 0]
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


_DIGIT_CUTTERS: dict[DigitGroups, Cutter] = {
    DigitGroups.AFTER_TEXT: _cut_after_text,
    DigitGroups.IN_NUMBER: _cut_in_number,
}
