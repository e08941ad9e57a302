"""Answers that mark their thinking and their tool calls with tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rushlight.text.answer_parts import AnswerParts, CallMaker, first_mark, n_held
from rushlight.text.call_stream import CallStream
from rushlight.text.reasoning import ReasoningTags

if TYPE_CHECKING:
    from rushlight.text.tool_formats import Schemas, ToolFormat


class TaggedAnswer:
    """Takes such an answer apart (see `rushlight.text.answer_parts.AnswerParser`).

    Thinking stands at the beginning; white space around it belongs to no part. Nor does a tag that closes it
    where none opened it, with which some models begin where they do not think. A block of tool calls is held
    until it is complete; one that is malformed is text, as it was written, though deltas of it came before.
    Inside of arguments that are followed no mark ends a block. White space before a block and between blocks
    belongs to no part.

    Args:
        tags: of the thinking, or None.
        thinks: whether the prompt ended with the tag that opens it.
        tools: the format of tool calls, or None.
        schemas: of the arguments of the tools.
        make: makes tool calls.
    """

    def __init__(
        self,
        tags: ReasoningTags | None,
        thinks: bool,
        tools: ToolFormat | None,
        schemas: Schemas,
        make: CallMaker,
    ) -> None:
        self._tags = tags
        self._tools = tools
        self._schemas = schemas
        self._make = make
        self._pending = ""  # what no part has got yet
        self._space = ""  # that stands before a block
        self._stream = CallStream((), None, make)  # of the block
        self._follows = True
        self._skips_space = False
        self._at_start = True
        self._step: Callable[[], AnswerParts | None] = self._begin
        if tags is not None and thinks:
            self._think()
        elif tags is None:
            self._step = self._speak

    def feed(self, text: str) -> AnswerParts:
        """The parts that more text makes certain."""
        self._pending += text
        parts = AnswerParts()
        while (more := self._step()) is not None:
            parts = parts.and_then(more)
        return parts

    def flush(self) -> AnswerParts:
        """What was held back, when no more text comes."""
        rest, self._pending = self._pending, ""
        if self._step == self._reason:
            return AnswerParts(reasoning=rest.rstrip())
        if self._step == self._call:
            parts = self._parts_of_unended(rest)
            if parts is not None:
                return parts
            if self._stream.inside:  # of arguments that do not end: a mark in them may have been one
                self._pending, self._follows = rest, False
                self._begin_block()
                return self.feed("").and_then(self.flush())
            rest = self._space + rest
        return AnswerParts(self._without_space(rest))

    def _think(self) -> None:
        self._step, self._skips_space = self._reason, True

    def _begin(self) -> AnswerParts | None:
        """Find out whether the answer begins with thinking; None: more text is needed."""
        assert self._tags is not None
        text = self._pending.lstrip()
        if text.startswith(self._tags.open):
            self._pending = text[len(self._tags.open) :]
            self._think()
        elif text.startswith(self._tags.close):
            self._pending = text[len(self._tags.close) :]
            self._step, self._skips_space = self._speak, True
        elif self._tags.open.startswith(text) or self._tags.close.startswith(text):
            return None
        else:
            self._step = self._speak
        return AnswerParts()

    def _reason(self) -> AnswerParts | None:
        assert self._tags is not None
        found = self._pending.find(self._tags.close)
        if found >= 0:
            thought, self._pending = self._pending[:found], self._pending[found + len(self._tags.close) :]
            parts = AnswerParts(reasoning=self._without_space(thought).rstrip())
            self._step, self._skips_space = self._speak, True
            return parts
        return AnswerParts(reasoning=thought) if (thought := self._certain((self._tags.close,))) else None

    def _speak(self) -> AnswerParts | None:
        tools = self._tools
        if tools is None:
            return AnswerParts(said) if (said := self._certain((), holds_space=False)) else None
        if self._at_start:
            text = self._pending.lstrip()
            if any(start.startswith(text) for start in tools.starts):
                return None
            if text.startswith(tools.starts or "\0"):
                self._pending, self._space = text, ""
                self._begin_block()
                return AnswerParts()
        found = first_mark(self._pending, tools.begins)
        if found is None:
            return AnswerParts(said) if (said := self._certain(tools.begins)) else None
        said, self._pending = self._pending[: found[0]], self._pending[found[0] :]
        self._begin_block()
        said = self._without_space(said)
        self._space = said[len(said.rstrip()) :]
        return AnswerParts(said.rstrip())

    def _begin_block(self) -> None:
        assert self._tools is not None
        self._step = self._call
        self._stream = CallStream(self._tools.heads if self._follows else (), self._schemas, self._make)

    def _call(self) -> AnswerParts | None:
        assert self._tools is not None
        self._at_start = False
        deltas, found = self._stream.follow(self._pending, self._tools.ends or self._tools.begins)
        parts = AnswerParts(tool_deltas=deltas)
        if found is None:
            return parts if deltas else None
        end = found[0] + (len(found[1]) if self._tools.ends else 0)
        block, self._pending = self._pending[:end], self._pending[end:]
        self._step = self._speak
        return parts.and_then(self._parts_of(block))

    def _parts_of(self, block: str) -> AnswerParts:
        assert self._tools is not None
        parts = self._stream.finish(self._tools.calls(block, self._schemas))
        self._skips_space = parts is not None
        return AnswerParts(self._space + block) if parts is None else parts

    def _parts_of_unended(self, block: str) -> AnswerParts | None:
        """The calls of a block that the answer ends in: the end token may have stood for its end."""
        assert self._tools is not None
        ends = ("", *self._tools.ends)
        calls = (self._tools.calls(block.rstrip() + end, self._schemas) for end in ends)
        return self._stream.finish(next(filter(None, calls), None))

    def _certain(self, marks: tuple[str, ...], holds_space: bool = True) -> str:
        """Take what is no mark, without white space at its end if that may have to be dropped."""
        text = self._pending
        end = len(text) - n_held(text, marks)
        if holds_space:
            end = len(text[:end].rstrip())
        self._pending = text[end:]
        taken = self._without_space(text[:end])
        if taken:
            self._at_start = False
        elif end:
            return self._certain(marks, holds_space)
        return taken

    def _without_space(self, text: str) -> str:
        """The text, without white space at its beginning if that belongs to no part."""
        if self._skips_space:
            text = text.lstrip()
            self._skips_space = not text
        return text
