"""Cut text into the words that byte-pair merging works on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from rushlight.text.pre_tokenizers import DigitGroups

Cutter = Callable[[str], list[str]]

_ASCII_DIGITS = re.compile(r"[0-9]+")


class WordSplitter:
    """Applies a pre-tokenizer's cuts in their order.

    Regular expressions run in the `tokenizers` library (Oniguruma), whose Unicode tables may be newer than
    llama.cpp's; code points assigned since then can fall into another category.

    Args:
        cuts: patterns and digit groupings, see `rushlight.text.pre_tokenizers.PreTokenizer`.
    """

    def __init__(self, cuts: Sequence[str | DigitGroups]) -> None:
        self._cutters: list[Cutter] = []
        for is_pattern, run in groupby(cuts, key=lambda cut: isinstance(cut, str)):
            if is_pattern:
                self._cutters.append(_pattern_cutter([str(cut) for cut in run]))
            else:
                self._cutters += [_DIGIT_CUTTERS[cut] for cut in run if isinstance(cut, DigitGroups)]

    def __call__(self, text: str) -> list[str]:
        """The words of a text; joined they are the text."""
        pieces: Iterable[str] = [text]
        for cutter in self._cutters:
            pieces = [word for piece in pieces for word in cutter(piece)]
        return list(pieces)


def _pattern_cutter(patterns: list[str]) -> Cutter:
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Sequence as Splits
    from tokenizers.pre_tokenizers import Split

    splits = Splits([Split(Regex(pattern), "isolated") for pattern in patterns])

    def cut(text: str) -> list[str]:
        return [word for word, _ in splits.pre_tokenize_str(text)]

    return cut


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
