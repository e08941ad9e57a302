"""Marks that belong to no part of an answer."""

from __future__ import annotations

from rushlight.text.answer_parts import AnswerParser, AnswerParts, first_mark, n_held


class WithoutMarks:
    """Takes an answer apart as another parser does, and drops marks from what is said.

    Args:
        parser: the other one.
        marks: what is dropped.
    """

    def __init__(self, parser: AnswerParser, marks: tuple[str, ...]) -> None:
        self._parser = parser
        self._marks = marks
        self._held = ""

    def feed(self, text: str) -> AnswerParts:
        """The parts that more text makes certain."""
        return self._without(self._parser.feed(text))

    def flush(self) -> AnswerParts:
        """What was held back, when no more text comes."""
        parts = self._without(self._parser.flush())
        rest, self._held = self._held, ""
        return parts._replace(text=parts.text + rest)

    def _without(self, parts: AnswerParts) -> AnswerParts:
        said, text = "", self._held + parts.text
        while (found := first_mark(text, self._marks)) is not None:
            said += text[: found[0]]
            text = text[found[0] + len(found[1]) :]
        certain = len(text) - n_held(text, self._marks)
        self._held = text[certain:]
        return parts._replace(text=said + text[:certain])
