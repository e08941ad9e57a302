"""Tools described from Python functions, as transformers describes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Optional, Union

import pytest
from transformers.utils import get_json_schema

from rushlight.errors import InvalidParameter
from rushlight.text import ChatTemplate
from rushlight.text.tool_schema import tool_schema


def get_weather(city: str, days: int = 1):
    """Tell the weather.

    It may be wrong.

    Args:
        city: Where, such as
            Zürich
        days: How many days ahead
    """


def everything(
    a: float,
    b: bool,
    c: list[str],
    d: dict[str, int],
    e: Literal["x", "y"],
    f: Optional[int],  # noqa: UP045
    g: Union[int, str],  # noqa: UP007
    h: int | list[int] | None,
    i: list,
    j: dict,
    k: Any,
    m: Literal[1, "x"] = 1,
):
    """Take everything.

    Args:
        a: A
        b: B
        c: C
        d: D
        e: E
        f: F
        g: G
        h: H
        i: I
        j: J
        k: K
        m: M
    """


def nothing():
    """Do nothing."""


@pytest.mark.parametrize("function", [get_weather, everything, nothing])
def test_schemas_are_those_of_transformers(function: Callable[..., Any]) -> None:
    assert tool_schema(function) == get_json_schema(function)


def test_further_lines_of_a_description_may_hold_colons() -> None:
    def f(a: int, b: int) -> None:
        """F.

        Args:
            a: One of
                x: y
            b (int): Two
        """

    properties = tool_schema(f)["function"]["parameters"]["properties"]
    assert {name: schema["description"] for name, schema in properties.items()} == {
        "a": "One of x: y",
        "b": "Two",
    }


def test_a_template_gets_the_schema() -> None:
    template = ChatTemplate(
        "{{ tools[0].function.name }}: {{ tools[0].function.parameters.required | join }}"
    )
    assert template.render([], tools=[get_weather]) == "get_weather: city"


def test_what_cannot_be_described_is_refused() -> None:
    def bare(x: int) -> None: ...

    def no_hint(x) -> None:
        """Do it."""

    def no_description(x: int) -> None:
        """Do it."""

    def odd(x: set[int]) -> None:
        """Do it.

        Args:
            x: It
        """

    for function, message in (
        (bare, "bare has no docstring"),
        (no_hint, "Argument x of tool no_hint has no type hint"),
        (no_description, "Argument x of tool no_description has no description"),
        (odd, r"type set\[int\] of argument x of tool odd has no JSON schema"),
    ):
        with pytest.raises(InvalidParameter, match=message):
            tool_schema(function)
