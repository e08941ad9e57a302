"""Harmony, the format of gpt-oss: messages on channels.

Source: https://github.com/openai/harmony (``docs/format.md``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rushlight.text.answer_parts import AnswerParts, CallMaker, first_mark, n_held
from rushlight.text.call_stream import CallStream
from rushlight.text.tool_formats import Call
from rushlight.text.tool_formats.base import checked_call, read_json
from rushlight.text.tool_formats.writing import CallWriting, Json, Piece

HARMONY_TOKENS = (
    "<|start|>",
    "<|channel|>",
    "<|constrain|>",
    "<|message|>",
    "<|end|>",
    "<|call|>",
    "<|return|>",
)
_BODY_ENDS = ("<|end|>", "<|call|>", "<|return|>", "<|start|>")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
_RECIPIENT = re.compile(r"to=functions\.([^\s<]+)")
_MESSAGE = "<|message|>"
_HEADER_BEGINS = ("<|start|>", "<|channel|>", "to=", _MESSAGE)
_MAX_HEADER = 256
_HEADS = (re.compile(r"\s*(?=\{)"),)


def _call(name: str, parameters: Mapping[str, Any]) -> tuple[Piece, ...]:
    head = f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>"
    return (head, Json(parameters))


HARMONY_WRITING = CallWriting(_call)
HARMONY_FINAL = "<|channel|>final<|message|>"
HARMONY_THINKING = ("<|channel|>analysis<|message|>", "<|end|>", "<|start|>assistant")
"""What stands before a thought, after it, and before what follows it."""


class HarmonyAnswer:
    """Takes such an answer apart (see `rushlight.text.answer_parts.AnswerParser`).

    The channel ``analysis`` is the thinking; messages to ``functions.`` are tool calls; the rest is text.
    Several messages of one kind are divided by an empty line. What is no message at all is text.

    Args:
        parses_calls: whether messages to functions are tool calls; otherwise they are text.
        make: makes tool calls.
    """

    def __init__(self, parses_calls: bool, make: CallMaker) -> None:
        self._parses_calls = parses_calls
        self._make = make
        self._pending = ""
        self._in_header = True
        self._thinks = False
        self._function: str | None = None
        self._stream: CallStream | None = None  # of a message to the function
        self._heads: tuple[re.Pattern[str], ...] = _HEADS
        self._breaks = {True: "", False: ""}  # before the next text of thinking, and of what is said

    def feed(self, text: str) -> AnswerParts:
        """The parts that more text makes certain."""
        self._pending += text
        parts = AnswerParts()
        while (more := self._header() if self._in_header else self._body()) is not None:
            parts = parts.and_then(more)
        return parts

    def flush(self) -> AnswerParts:
        """What was held back, when no more text comes."""
        rest, self._pending = self._pending, ""
        if self._in_header:
            return AnswerParts() if rest in _BODY_ENDS else self._shown(rest)
        if self._stream is not None and self._stream.inside:
            # Of arguments that do not end: a mark in them may have ended the message.
            self._heads = ()
            self._pending = rest
            self._stream = CallStream((), None, self._make, self._function, start=0)
            return self.feed("").and_then(self.flush())
        return self._end_of_body(rest)

    def _header(self) -> AnswerParts | None:
        """Read the header of a message; None: more text is needed."""
        header, mark, rest = self._pending.partition(_MESSAGE)
        start = header.lstrip()
        if mark:
            is_header = len(header) <= _MAX_HEADER and (not start or start.startswith(_HEADER_BEGINS))
        else:
            may_begin = any(each.startswith(start) for each in _HEADER_BEGINS)
            is_header = len(header) <= _MAX_HEADER + len(_MESSAGE) and (
                may_begin or start.startswith(_HEADER_BEGINS)
            )
        if not is_header:
            header, mark, rest = "", "no header", self._pending
        if not mark:
            return None
        channel, recipient = _CHANNEL.search(header), _RECIPIENT.search(header)
        self._thinks = channel is not None and channel.group(1) == "analysis" and recipient is None
        self._function = recipient.group(1) if recipient is not None and self._parses_calls else None
        self._pending, self._in_header = rest, False
        if self._function is not None:
            self._stream = CallStream(self._heads, None, self._make, self._function, start=0)
        return AnswerParts()

    def _body(self) -> AnswerParts | None:
        if self._stream is not None:
            deltas, found = self._stream.follow(self._pending, _BODY_ENDS)
            parts = AnswerParts(tool_deltas=deltas) if deltas else None
        else:
            parts, found = None, first_mark(self._pending, _BODY_ENDS)
        if found is not None:
            place, mark = found
            body = self._pending[:place]
            self._pending = self._pending[place if mark == "<|start|>" else place + len(mark) :]
            self._in_header = True
            return (parts or AnswerParts()).and_then(self._end_of_body(body))
        if self._stream is not None:
            return parts
        end = len(self._pending) - n_held(self._pending, _BODY_ENDS)
        certain, self._pending = self._pending[:end], self._pending[end:]
        return self._shown(certain) if certain else None

    def _end_of_body(self, body: str) -> AnswerParts:
        calls = self._calls(body)
        parts = None if self._stream is None else self._stream.finish(calls)
        parts = self._shown(body) if parts is None else parts
        self._breaks[self._thinks] = self._breaks[self._thinks] and "\n\n"
        self._function, self._stream = None, None
        return parts

    def _calls(self, body: str) -> list[Call] | None:
        if self._function is None:
            return None
        try:
            return [checked_call(self._function, read_json(body or "{}"))]
        except (ValueError, RecursionError):
            return None

    def _shown(self, text: str) -> AnswerParts:
        if not text:
            return AnswerParts()
        divided = self._breaks[self._thinks].strip("-") + text
        self._breaks[self._thinks] = "-"  # a text was shown, and its message goes on
        return AnswerParts(reasoning=divided) if self._thinks else AnswerParts(divided)
