"""Which tools an answer may or must call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rushlight.errors import InvalidParameter
from rushlight.text.tools import functions_of

if TYPE_CHECKING:
    from rushlight.constrain.answer_grammar import Calls

_MODES = ("auto", "none", "required")


class ToolChoice(NamedTuple):
    """What a request says of tools.

    Attributes:
        tools: those that the model is shown, None where it is shown none.
        required: whether it must call one.
        name: the only function that it may call, None: any.
        parallel: whether it may call several.
    """

    tools: list[Any] | None = None
    required: bool = False
    name: str | None = None
    parallel: bool = True

    def calls(self) -> Calls | None:
        """The calls that may be demanded, None without tools.

        Raises:
            InvalidParameter: a tool that is no function with a name and a schema, or no tool of `name`.
        """
        if not self.tools:
            return None
        from rushlight.constrain.answer_grammar import Calls

        functions = functions_of(self.tools)
        if self.name is not None:
            if self.name not in functions:
                raise InvalidParameter(
                    f"tool_choice names {self.name!r:.60}, but the tools are {', '.join(functions)}."
                )
            functions = {self.name: functions[self.name]}
        return Calls(functions, self.required, self.parallel and self.name is None)


def tool_choice_of(tools: Sequence[Any] | None, choice: Any, parallel: bool) -> ToolChoice:
    """Read the arguments of `LLM.chat`.

    Raises:
        InvalidParameter: the choice is none that there is, or demands a call where there are no tools.
    """
    if not isinstance(parallel, bool):
        raise InvalidParameter(f"parallel_tool_calls is {parallel!r:.60}; it must be True or False.")
    name = _named(choice)
    if choice is not None and name is None and choice not in _MODES:
        raise InvalidParameter(
            f"tool_choice is {choice!r:.60}; it must be one of {', '.join(_MODES)}, or "
            '{"type": "function", "function": {"name": ...}}.'
        )
    required = name is not None or choice == "required"
    if required and not tools:
        raise InvalidParameter("tool_choice demands a call, but there are no tools; give them in `tools`.")
    shown = None if tools is None or choice == "none" else list(tools)
    return ToolChoice(shown, required, name, parallel)


def _named(choice: Any) -> str | None:
    if not isinstance(choice, Mapping) or choice.get("type") != "function":
        return None
    function = choice.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else None
