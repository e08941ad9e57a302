"""The parts of an answer as they come: what was thought, what is said, which tools are called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypedDict

if TYPE_CHECKING:
    from rushlight.text.tool_formats import Call

_ID_LENGTH = 9  # Mistral's templates refuse any other


class CalledFunction(TypedDict):
    """The function of a tool call: its name, and its arguments as JSON text."""

    name: str
    arguments: str


class ToolCall(TypedDict):
    """A tool call as OpenAI's API writes it: an id, the type "function" and the function."""

    id: str
    type: str
    function: CalledFunction


@dataclass(frozen=True)
class ToolDelta:
    """A piece of a tool call while it comes.

    Attributes:
        index: which call of the answer it is of, from 0.
        id, name: those of the call in its first delta, else None.
        arguments: what comes next of its arguments, which are JSON text.
    """

    index: int
    id: str | None
    name: str | None
    arguments: str


class AnswerParts(NamedTuple):
    """What became certain of an answer.

    Attributes:
        text: what is said.
        reasoning: what was thought.
        tool_calls: the calls that are complete.
        tool_deltas: the calls as they come, pieces of one call that follow each other as one.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_deltas: tuple[ToolDelta, ...] = ()

    def and_then(self, later: AnswerParts) -> AnswerParts:
        """These parts and later ones."""
        return AnswerParts(
            self.text + later.text,
            self.reasoning + later.reasoning,
            self.tool_calls + later.tool_calls,
            joined(self.tool_deltas, later.tool_deltas),
        )


def joined(first: tuple[ToolDelta, ...], later: tuple[ToolDelta, ...]) -> tuple[ToolDelta, ...]:
    """Deltas and later ones, those of one call that meet as one."""
    if not first or not later or later[0].index != first[-1].index:
        return first + later
    last = first[-1]
    whole = replace(last, arguments=last.arguments + later[0].arguments)
    return (*first[:-1], whole, *later[1:])


class AnswerParser(Protocol):
    """Takes an answer apart while it comes. Nothing that a model writes makes it raise."""

    def feed(self, text: str) -> AnswerParts:
        """The parts that more text makes certain."""

    def flush(self) -> AnswerParts:
        """What was held back, when no more text comes."""


class CallMaker:
    """Numbers the calls of an answer and makes tool calls of what a model wrote.

    The id of a call that the model gave none is made of the conversation, the call's name and its number: the
    same answer has the same ids.

    Args:
        prompt: the conversation as text.
    """

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._n_calls = 0

    def begin(self, name: str, id: str | None) -> ToolDelta:
        """The first delta of the next call, without arguments."""
        self._n_calls += 1
        seed = f"{self._prompt}\0{self._n_calls}\0{name}"
        made = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:_ID_LENGTH]
        return ToolDelta(self._n_calls - 1, id or made, name, "")

    def whole(self, call: Call) -> ToolDelta:
        """The only delta of a call that comes as a whole."""
        import json  # few answers call a tool

        arguments = json.dumps(call.arguments, ensure_ascii=False)
        return replace(self.begin(call.name, call.id), arguments=arguments)


def tool_call(call: ToolDelta) -> ToolCall:
    """The call that its deltas, joined to one, make."""
    function: CalledFunction = {"name": call.name or "", "arguments": call.arguments}
    return {"id": call.id or "", "type": "function", "function": function}


def argument_schemas(tools: Sequence[Any] | None) -> Mapping[str, Mapping[str, Any]]:
    """The schema of each argument of each tool, as far as the tools say.

    Args:
        tools: plain dicts in OpenAI's shape, or the functions' schemas themselves.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for tool in tools or ():
        function = tool.get("function", tool)
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            continue
        parameters = function.get("parameters")
        properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
        schemas = properties if isinstance(properties, Mapping) else {}
        found[function["name"]] = {key: each for key, each in schemas.items() if isinstance(each, Mapping)}
    return found


def n_held(text: str, marks: Sequence[str]) -> int:
    """How many of the last characters of a text may be the beginning of a mark."""
    longest = min(len(text), max(map(len, marks), default=1) - 1)
    return next((n for n in range(longest, 0, -1) if any(mark.startswith(text[-n:]) for mark in marks)), 0)


def first_mark(text: str, marks: Sequence[str], start: int = 0) -> tuple[int, str] | None:
    """Where the first of some marks stands, and which it is; of several at one place, the longest."""
    places = [(place, -len(mark), mark) for mark in marks if (place := text.find(mark, start)) >= 0]
    return None if not places else (min(places)[0], min(places)[2])
