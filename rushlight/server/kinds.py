"""Which JSON values a field of a request takes.

A kind's `check` gives the value back, checked; its `schema` says the same as JSON schema.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Protocol

from rushlight.server.errors import ApiError, bad_field


class Kind(Protocol):
    """What values a field takes."""

    def fits(self, value: object) -> bool:
        """Whether the value is of the right JSON type, so that `check` is the one to ask."""

    def check(self, value: Any, where: str) -> Any:
        """The value; raises `ApiError` naming `where`."""

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the values."""


@dataclass(frozen=True)
class Anything:
    """Any JSON."""

    def fits(self, value: object) -> bool:
        return True

    def check(self, value: Any, where: str) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Boolean:
    """true or false."""

    def fits(self, value: object) -> bool:
        return isinstance(value, bool)

    def check(self, value: Any, where: str) -> bool:
        if not isinstance(value, bool):
            raise wrong(where, value, "true or false")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Integer:
    """A whole number, which may be written 3.0."""

    low: int | None = None
    high: int | None = None

    def fits(self, value: object) -> bool:
        return (isinstance(value, int) and not isinstance(value, bool)) or (
            isinstance(value, float) and value.is_integer()
        )

    def check(self, value: Any, where: str) -> int:
        if not self.fits(value):
            raise wrong(where, value, "an integer")
        _check_range(where, value, self.low, self.high)
        return int(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", **_range_schema(self.low, self.high)}


@dataclass(frozen=True)
class Number:
    """A number."""

    low: float | None = None
    high: float | None = None

    def fits(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)

    def check(self, value: Any, where: str) -> float:
        if not self.fits(value):
            raise wrong(where, value, "a number")
        _check_range(where, value, self.low, self.high)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise wrong(where, value, "a number that a double holds")
        return number

    def schema(self) -> dict[str, Any]:
        return {"type": "number", **_range_schema(self.low, self.high)}


@dataclass(frozen=True)
class Text:
    """A text, or one of a few."""

    choices: tuple[str, ...] = ()
    shortest: int = 0

    def fits(self, value: object) -> bool:
        return isinstance(value, str)

    def check(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise wrong(where, value, "a string")
        if self.choices and value not in self.choices:
            raise wrong(where, value, " or ".join(f'"{choice}"' for choice in self.choices))
        if len(value) < self.shortest:
            raise wrong(where, value, "a text that is not empty")
        return value

    def schema(self) -> dict[str, Any]:
        choices = {"enum": list(self.choices)} if self.choices else {}
        return {"type": "string", **choices, **({"minLength": self.shortest} if self.shortest else {})}


@dataclass(frozen=True)
class ListOf:
    """A list."""

    items: Kind
    shortest: int = 0
    longest: int | None = None

    def fits(self, value: object) -> bool:
        return isinstance(value, list) and (not value or self.items.fits(value[0]))

    def check(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise wrong(where, value, "a list")
        if len(value) < self.shortest:
            raise bad_field(where, f"{where} has {len(value)} entries; it must have {self.shortest} or more.")
        if self.longest is not None and len(value) > self.longest:
            raise bad_field(where, f"{where} has {len(value)} entries; at most {self.longest} are allowed.")
        return [self.items.check(item, f"{where}[{i}]") for i, item in enumerate(value)]

    def schema(self) -> dict[str, Any]:
        least = {"minItems": self.shortest} if self.shortest else {}
        most = {} if self.longest is None else {"maxItems": self.longest}
        return {"type": "array", "items": self.items.schema(), **least, **most}


@dataclass(frozen=True)
class MapOf:
    """An object whose keys are up to the client."""

    values: Kind = field(default_factory=Anything)
    longest: int | None = None

    def fits(self, value: object) -> bool:
        return isinstance(value, dict)

    def check(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong(where, value, "an object")
        if self.longest is not None and len(value) > self.longest:
            raise bad_field(where, f"{where} has {len(value)} entries; at most {self.longest} are allowed.")
        return {key: self.values.check(item, f"{where}.{key}") for key, item in value.items()}

    def schema(self) -> dict[str, Any]:
        most = {} if self.longest is None else {"maxProperties": self.longest}
        return {"type": "object", "additionalProperties": self.values.schema(), **most}


@dataclass(frozen=True)
class AnyOf:
    """A value of one of several kinds; the first that fits checks it."""

    kinds: tuple[Kind, ...]
    expected: str

    def fits(self, value: object) -> bool:
        return any(kind.fits(value) for kind in self.kinds)

    def check(self, value: Any, where: str) -> Any:
        for kind in self.kinds:
            if kind.fits(value):
                return kind.check(value, where)
        raise wrong(where, value, self.expected)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [kind.schema() for kind in self.kinds]}


def wrong(where: str, value: object, expected: str) -> ApiError:
    """The error of a value that is of no kind that was expected."""
    return bad_field(where, f"{where} is {_shown(value)}; {expected} was expected.", "invalid_value")


def _check_range(where: str, value: float, low: float | None, high: float | None) -> None:
    if (low is not None and value < low) or (high is not None and value > high):
        allowed = (
            f"at least {low}" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
        )
        raise bad_field(where, f"{where} is {_shown(value)}; it must be {allowed}.", "out_of_range")


def _range_schema(low: float | None, high: float | None) -> dict[str, float]:
    return ({} if low is None else {"minimum": low}) | ({} if high is None else {"maximum": high})


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
