"""``/set``: sampling parameters by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rushlight.errors import InvalidParameter
from rushlight.params import SamplingParams

NONE = "none"


def _stop(text: str) -> tuple[str, ...]:
    """One stop string, which may be in JSON's quotes for the sake of line ends and spaces."""
    if not text.startswith('"'):
        return (text,)
    try:
        return (str(json.loads(text)),)
    except ValueError as error:
        raise InvalidParameter(f"stop is {text}; the quotes must be those of a JSON text.") from error


SETTINGS: dict[str, Callable[[str], Any]] = {
    "max_tokens": int,
    "temperature": float,
    "top_k": int,
    "top_p": float,
    "min_p": float,
    "repeat_penalty": float,
    "repeat_last_n": int,
    "presence_penalty": float,
    "frequency_penalty": float,
    "seed": int,
    "stop": _stop,
}
"""The parameters that can be set, and how their values are read."""

_UNSET: dict[str, Any] = {"max_tokens": None, "seed": None, "stop": ()}


def changed(params: SamplingParams, name: str, value: str) -> SamplingParams:
    """The parameters with one of them set.

    Raises:
        InvalidParameter: there is no such name, or the value is outside its range.
    """
    if name not in SETTINGS:
        raise InvalidParameter(f"There is no setting {name!r}; there are {', '.join(SETTINGS)}.")
    if value == NONE and name in _UNSET:
        return replace(params, **{name: _UNSET[name]})
    try:
        return replace(params, **{name: SETTINGS[name](value)})
    except InvalidParameter:
        raise
    except ValueError as error:
        kind = "an integer" if SETTINGS[name] is int else "a number"
        unset = f" or {NONE}" if name in _UNSET else ""
        raise InvalidParameter(f"{name} is {value!r}; it must be {kind}{unset}.") from error


def shown(params: SamplingParams, name: str) -> str:
    """The value of a setting in words."""
    value = getattr(params, name)
    if name == "stop":
        return " ".join(json.dumps(text, ensure_ascii=False) for text in value) or NONE
    return NONE if value is None else f"{value:g}" if isinstance(value, float) else str(value)
