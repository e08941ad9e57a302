"""Calls of tools while they come: their arguments as far as they are written."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rushlight.text.answer_parts import (
    AnswerParts,
    CallMaker,
    ToolDelta,
    first_mark,
    joined,
    n_held,
    tool_call,
)

if TYPE_CHECKING:
    from rushlight.text.tool_formats import Call

_MARK = re.compile(r"""["\\{}\[\]]""")
_LONGEST_HEAD = 1024


class CallStream:
    """Follows the calls of one block whose arguments are JSON objects.

    Args:
        heads: what may stand before arguments, from the beginning of the block or the end of those before;
            with a group "name" and perhaps one "id". None: the calls come as a whole.
        names: of the functions that may be called; only they are followed. None: all.
        make: makes tool calls.
        name: of the function, where the block itself does not say it.
        start: where a mark that ends the block may stand.

    Attributes:
        inside: whether it stands inside of arguments.
    """

    def __init__(
        self,
        heads: Sequence[re.Pattern[str]],
        names: Collection[str] | None,
        make: CallMaker,
        name: str | None = None,
        start: int = 1,
    ) -> None:
        self.inside = False
        self._place = 0  # where in the block the arguments that were followed end so far
        self._start = start
        self._heads = heads
        self._names = names
        self._make = make
        self._name = name
        self._begun: list[ToolDelta] = []
        self._pieces: list[str] = []
        self._depth = 0
        self._quoted = False

    def follow(
        self, block: str, marks: Sequence[str]
    ) -> tuple[tuple[ToolDelta, ...], tuple[int, str] | None]:
        """Read on in the block.

        Args:
            block: as far as it has come.
            marks: one of them ends it.

        Returns:
            The deltas of its calls; where the mark that ends it stands and which it is, None before it comes.
        """
        deltas: tuple[ToolDelta, ...] = ()
        while True:
            if self.inside:
                delta = self._arguments(block)
                deltas = joined(deltas, (delta,)) if delta.arguments else deltas
                if self._depth:
                    return deltas, None
                self._start = max(self._start, self._place)
            found = first_mark(block, marks, self._start)
            end = len(block) - n_held(block, marks) if found is None else found[0]
            begun = self._begin(block, end)
            if begun is None:
                if found is None:
                    self._start = max(self._start, len(block) - max(map(len, marks)))
                return deltas, found
            deltas = (*deltas, begun)

    def _begin(self, block: str, end: int) -> ToolDelta | None:
        """Look for the next call; where it begins, its first delta, and `_arguments` reads on.

        Args:
            block: so far.
            end: how much of it may be looked at.
        """
        matches = (
            head.match(block, self._place, min(end, self._place + _LONGEST_HEAD)) for head in self._heads
        )
        match = next(filter(None, matches), None)
        if match is None:
            return None
        found = match.groupdict()
        name = self._name or found["name"].strip()
        if self._names is not None and name not in self._names:
            self._heads = ()
            return None
        self._place, self.inside = match.end(), True
        delta = self._make.begin(name, found.get("id"))
        self._begun.append(delta)
        return delta

    def _arguments(self, block: str) -> ToolDelta:
        """What has been added to the arguments that it stands in."""
        end = len(block)
        skipped = -1
        for match in _MARK.finditer(block, self._place):
            place, mark = match.start(), match.group()
            if place == skipped:
                continue
            if self._quoted:
                if mark == "\\":
                    if place + 1 == end:  # what it escapes is still to come
                        end = place
                        break
                    skipped = place + 1
                elif mark == '"':
                    self._quoted = False
            elif mark == '"':
                self._quoted = True
            elif mark != "\\":
                self._depth += 1 if mark in "{[" else -1
                if not self._depth:
                    end, self.inside = place + 1, False
                    break
        piece, self._place = block[self._place : end], end
        self._pieces.append(piece)
        last = self._begun[-1]
        if not self.inside:
            self._begun[-1] = replace(last, arguments="".join(self._pieces))
            self._pieces = []
        return ToolDelta(last.index, None, None, piece)

    def finish(self, calls: Sequence[Call] | None) -> AnswerParts | None:
        """The calls of the block, complete.

        Args:
            calls: as the format reads them from the whole block, None where it is malformed.

        Returns:
            The calls, with the deltas of those that were not followed; None where the block is malformed.
        """
        from rushlight.text.tool_formats.base import read_json

        if calls is None or self.inside or len(calls) < len(self._begun):
            return None
        parts = AnswerParts()
        for followed, call in zip(self._begun, calls, strict=False):
            # Of a key that stands twice the first was followed and the last counts.
            if followed.name != call.name or read_json(followed.arguments) != call.arguments:
                return None
            parts = parts.and_then(AnswerParts(tool_calls=(tool_call(followed),)))
        for call in calls[len(self._begun) :]:
            whole = self._make.whole(call)
            parts = parts.and_then(AnswerParts(tool_calls=(tool_call(whole),), tool_deltas=(whole,)))
        return parts
