"""The parts of an answer as they come: what was thought, what is said, which tools are called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
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


class AnswerParts(NamedTuple):
    """What became certain of an answer.

    Attributes:
        text: what is said.
        reasoning: what was thought.
        tool_calls: the calls that are complete.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()

    def and_then(self, later: AnswerParts) -> AnswerParts:
        """These parts and later ones."""
        return AnswerParts(
            self.text + later.text, self.reasoning + later.reasoning, self.tool_calls + later.tool_calls
        )


class AnswerParser(Protocol):
    """Takes an answer apart while it comes. Nothing that a model writes makes it raise."""

    def feed(self, text: str) -> AnswerParts:
        """The parts that more text makes certain."""

    def flush(self) -> AnswerParts:
        """What was held back, when no more text comes."""


class CallMaker:
    """Makes tool calls of what a model wrote.

    The id of a call that the model gave none is made of the conversation, the call and its number: the same
    answer has the same ids.

    Args:
        prompt: the conversation as text.
    """

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._n_calls = 0

    def __call__(self, calls: Sequence[Call]) -> tuple[ToolCall, ...]:
        """The tool calls, in OpenAI's shape."""
        return tuple(self._tool_call(call) for call in calls)

    def _tool_call(self, call: Call) -> ToolCall:
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        self._n_calls += 1
        seed = f"{self._prompt}\0{self._n_calls}\0{call.name}\0{arguments}"
        made = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:_ID_LENGTH]
        function: CalledFunction = {"name": call.name, "arguments": arguments}
        return {"id": call.id or made, "type": "function", "function": function}


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
