"""Bounds on what a chat template may use up, so that a hostile one is refused and not obeyed."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from jinja2.exceptions import SecurityError

_MAX_BITS = 4096
_PERCENT_WIDTH = re.compile(r"%[^a-zA-Z%]*(?:\d{5}|\*)")
_BRACE_WIDTH = re.compile(r"\{[^{}]*:[^{}]*(?:\d{5}|\{)")


@dataclass(frozen=True)
class TemplateLimits:
    """What a template, and one rendering of it, may use.

    Attributes:
        max_source: characters of the template; the largest of real models have a tenth of it.
        max_length: characters of one string; an item of a list counts as eight.
        max_total: characters made in all.
        seconds: time, looked at whenever a loop turns or something is called.
    """

    max_source: int = 1 << 18
    max_length: int = 1 << 25
    max_total: int = 1 << 29
    seconds: float = 10.0


class Budget:
    """What is left of the limits of the rendering under way.

    Every check raises SecurityError, as Jinja's own sandbox does.
    """

    def __init__(self, limits: TemplateLimits) -> None:
        self._limits = limits
        self._left = limits.max_total
        self._deadline = time.monotonic() + limits.seconds

    def tick(self) -> None:
        """Look at the clock."""
        if time.monotonic() > self._deadline:
            raise SecurityError(f"it runs longer than {self._limits.seconds:g} seconds")

    def charge(self, length: int) -> None:
        """Account for a string or list of this length, before it is made where that can be known."""
        self._left -= length
        if length > self._limits.max_length or self._left < 0:
            raise SecurityError("it makes more text than any prompt needs")

    def check_length(self, length: int) -> None:
        """Look at the length of something that was accounted for in parts."""
        if length > self._limits.max_length:
            raise SecurityError("it makes more text than any prompt needs")


_budget: ContextVar[Budget] = ContextVar("budget")


@contextmanager
def limited(limits: TemplateLimits) -> Iterator[None]:
    """Hold everything that is rendered inside to these limits."""
    token = _budget.set(Budget(limits))
    try:
        yield
    finally:
        _budget.reset(token)


def budget() -> Budget:
    """The budget of the rendering under way, a fresh one outside of any."""
    return _budget.get(None) or Budget(TemplateLimits())


class Ticking:
    """An iterable that looks at the clock at every turn, and has a length if what it wraps has."""

    def __init__(self, iterable: Iterable[Any]) -> None:
        self._iterable = iterable

    def __iter__(self) -> Iterator[Any]:
        current = budget()
        for item in self._iterable:
            current.tick()
            yield item

    def __len__(self) -> int:
        return len(self._iterable)  # type: ignore[arg-type]  # the TypeError of an iterable without length is meant


def written_length(value: Any) -> int:
    """About how many characters `str` or JSON makes of a value; a shared part counts wherever it appears."""
    known: dict[int, int] = {}

    def length(part: Any) -> int:
        if isinstance(part, str):
            return len(part) + 2
        if not isinstance(part, Collection):
            return 16
        if id(part) not in known:
            items = [*part, *part.values()] if isinstance(part, Mapping) else part
            known[id(part)] = 2 + sum(length(item) + 2 for item in items)
        return known[id(part)]

    return length(value)


def check_written(values: Iterable[Any]) -> None:
    """Refuse to write out nested lists that are small in memory and huge as text."""
    for value in values:
        if isinstance(value, Collection) and not isinstance(value, str):
            budget().charge(written_length(value))


def check_binary(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result would be too large."""
    if operator == "%" and isinstance(left, str):
        check_format(left, "%", right if isinstance(right, tuple) else (right,))
    elif operator == "+" and isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
        budget().charge((len(left) + len(right)) * _weight(left))
    elif operator == "*":
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, str | list | tuple) and isinstance(times, int):
                budget().charge(len(sequence) * max(times, 0) * _weight(sequence))
        if isinstance(left, int) and isinstance(right, int):
            _check_bits(left.bit_length() + right.bit_length())
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() * max(right, 0))


def _weight(sequence: object) -> int:
    return 1 if isinstance(sequence, str) else 8


def _check_bits(bits: int) -> None:
    if bits > _MAX_BITS:
        raise SecurityError("it computes with numbers of thousands of digits")


def check_format(format: str, mark: str, values: Sequence[Any]) -> None:
    """Refuse formatting that pads to great widths or repeats great values.

    Args:
        format: the format string.
        mark: what begins a field, ``%`` or ``{``.
        values: what is put in.
    """
    if (_PERCENT_WIDTH if mark == "%" else _BRACE_WIDTH).search(format):
        raise SecurityError("it formats with a width that is too large or computed")
    longest = max((written_length(value) for value in values), default=0)
    budget().charge(len(format) + format.count(mark) * longest)


def check_replace(text: str, old: str, new: str) -> None:
    """Refuse a replacement whose result would be too long."""
    budget().charge(len(text) + text.count(old) * len(new))


def check_pad(text: str, places: int, width: int) -> None:
    """Refuse to pad a text by `width` characters at each of several places, if that is too much."""
    budget().charge(len(text) + places * max(width, 0))
