"""What the filters and string methods of a template would make, checked before they make it.

A check takes the arguments of what it guards, by the same names, and raises SecurityError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2.exceptions import SecurityError

from rushlight.text.template_limits import budget, check_format, check_pad, check_replace, check_written

Check = Callable[..., None]

_MAX_INDENT = 64
_LIST_WEIGHT = 64  # bytes of a list, beside those of its items
_MAX_PRECISION = 100


def _written(s: Any = "", *args: Any, **kwargs: Any) -> None:
    """Of filters that turn their value into a string."""
    check_written((s, *args, *kwargs.values()))


def _pad(s: Any, width: int = 80, *args: Any) -> None:
    _written(s)
    check_pad(str(s), 1, width)


def _indent(s: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> None:
    _written(s)
    check_pad(str(s), str(s).count("\n") + 1, width if isinstance(width, int) else len(width))


def _wordwrap(
    s: Any,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,
) -> None:
    _written(s)
    check_pad(str(s), len(str(s)), len(wrapstring or "\n"))


def _replace(s: Any, old: Any, new: Any, count: int | None = None) -> None:
    _written(s, old, new)
    check_replace(str(s), str(old), str(new))


def _join(value: Any, d: Any = "", attribute: Any = None) -> None:
    if isinstance(value, Mapping | list | tuple | str):
        check_written((d,))
        check_pad("", len(value), len(str(d)))
        _written(value)


def _sum(iterable: Any, attribute: Any = None, start: Any = 0) -> None:
    if not isinstance(start, int | float):
        raise SecurityError("it sums something other than numbers")


def _batch(value: Any, linecount: int, fill_with: Any = None) -> None:
    budget().charge(_LIST_WEIGHT * linecount)


def _slice(value: Any, slices: int, fill_with: Any = None) -> None:
    budget().charge(_LIST_WEIGHT * slices)


def _round(value: Any, precision: int = 0, method: str = "common") -> None:
    if precision > _MAX_PRECISION:
        raise SecurityError(f"it rounds to more than {_MAX_PRECISION} digits")


def _tojson(x: Any, *args: Any, indent: Any = None, **kwargs: Any) -> None:
    for width in (indent, *args[1:2]):
        if (width if isinstance(width, int) else len(width or "")) > _MAX_INDENT:
            raise SecurityError(f"it writes JSON with an indent of more than {_MAX_INDENT}")
    _written(x)


def _percent_format(value: Any, *args: Any, **kwargs: Any) -> None:
    check_format(str(value), "%", (*args, *kwargs.values()))


def _brace_format(text: str, *args: Any, **kwargs: Any) -> None:
    check_format(text, "{", (*args, *kwargs.values()))


def _format_map(text: str, mapping: Mapping[str, Any]) -> None:
    check_format(text, "{", tuple(mapping.values()))


def _method_pad(text: str, width: int, *args: Any) -> None:
    check_pad(text, 1, width)


def _method_replace(text: str, old: str, new: str, *args: Any, **kwargs: Any) -> None:
    check_replace(text, old, new)


def _method_join(text: str, parts: Iterable[str]) -> None:
    if isinstance(parts, Mapping | list | tuple | str):
        check_pad("", len(parts), len(text))
        _written(parts if isinstance(parts, str) else list(parts))


def _expandtabs(text: str, tabsize: int = 8) -> None:
    check_pad(text, text.count("\t"), tabsize)


def _refuse_translate(text: str, table: Any) -> None:
    raise SecurityError("str.translate is not available")


FILTER_CHECKS: dict[str, Check] = {
    "batch": _batch,
    "center": _pad,
    "format": _percent_format,
    "indent": _indent,
    "join": _join,
    "replace": _replace,
    "round": _round,
    "slice": _slice,
    "sum": _sum,
    "tojson": _tojson,
    "wordwrap": _wordwrap,
    **dict.fromkeys(
        (
            "capitalize",
            "e",
            "escape",
            "forceescape",
            "lower",
            "pprint",
            "safe",
            "string",
            "striptags",
            "title",
            "trim",
            "truncate",
            "upper",
            "urlencode",
            "urlize",
            "wordcount",
            "xmlattr",
        ),
        _written,
    ),
}

METHOD_CHECKS: dict[str, Check] = {
    "center": _method_pad,
    "expandtabs": _expandtabs,
    "format": _brace_format,
    "format_map": _format_map,
    "join": _method_join,
    "ljust": _method_pad,
    "replace": _method_replace,
    "rjust": _method_pad,
    "translate": _refuse_translate,
    "zfill": _method_pad,
}
